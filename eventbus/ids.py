"""Ids that modules share: UUID version 7, which sort by the time they were made."""

import os
import struct
import threading
import time
from collections.abc import Sequence
from uuid import UUID

import msgspec

_lock = threading.Lock()
_last = 0
_reader = msgspec.json.Decoder(list[UUID])
COUNTER_BITS = 12  # rand_a of RFC 9562, used as a counter so that ids of one millisecond keep their order
COUNTER_MASK = (1 << COUNTER_BITS) - 1
ID_BYTES = 16  # the first half is time and counter, the second is random
VERSION = 7
_VARIANT = bytes(byte & 0b0011_1111 | 0b1000_0000 for byte in range(256))  # the first two random bits


def uuid7() -> UUID:
    """Return a new id: 48 bits of Unix milliseconds, a counter, 62 random bits (RFC 9562, section 5.7, method 1)."""
    stamp = _draw(1)  # by arithmetic, which takes half the time for a single id
    head = (stamp >> COUNTER_BITS) << 16 | VERSION << 12 | stamp & COUNTER_MASK
    tail = 0b10 << 62 | int.from_bytes(os.urandom(8)) >> 2
    return UUID(int=head << 64 | tail)


def uuid7s(count: int) -> list[UUID]:
    """Return `count` new ids in ascending order. The lock is taken and the random bits are drawn once for all."""
    if count < 2:
        return [uuid7() for _ in range(count)]
    stamps = range(first := _draw(count), first + count)
    numbers = [(stamp >> COUNTER_BITS) << 16 | VERSION << 12 | stamp & COUNTER_MASK for stamp in stamps]
    drawn = bytearray(os.urandom(ID_BYTES * count))
    memoryview(drawn).cast("Q")[::2] = memoryview(struct.pack(f">{count}Q", *numbers)).cast("Q")
    drawn[ID_BYTES // 2 :: ID_BYTES] = drawn[ID_BYTES // 2 :: ID_BYTES].translate(_VARIANT)
    # Decoding a JSON list takes a quarter of the time of UUID(bytes=...) for each id.
    return _reader.decode('["' + drawn.hex(",", ID_BYTES).replace(",", '","') + '"]')


def _draw(count: int) -> int:
    """Reserve `count` consecutive numbers, and return the first.

    A number is milliseconds followed by a counter. A full counter runs over into the next millisecond.
    """
    global _last
    with _lock:
        first = max(_last + 1, (time.time_ns() // 1_000_000) << COUNTER_BITS)
        _last = first + count - 1
    return first


def text(identity: UUID) -> str:
    """Return str(identity), in a quarter of the time."""
    told: str = msgspec.to_builtins(identity)
    return told


def texts(identities: Sequence[UUID]) -> list[str]:
    """Return str(identity) for each of at least one id. That takes half the time of `text` for each."""
    return msgspec.json.encode(identities)[2:-2].decode().split('","')
