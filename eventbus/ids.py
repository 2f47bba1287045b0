"""Ids that cross borders: UUID version 7, which sort by the time they were made."""

import os
import threading
import time
from uuid import UUID

import msgspec

_lock = threading.Lock()
_last = 0
COUNTER_BITS = 12  # rand_a of RFC 9562, used as a counter so that ids of one millisecond keep their order
COUNTER_MASK = (1 << COUNTER_BITS) - 1
RANDOM_BYTES = 8  # of which 62 bits are kept
VERSION, VARIANT = 7, 0b10


def uuid7() -> UUID:
    """A new id: 48 bits of Unix milliseconds, a counter, 62 random bits (RFC 9562, section 5.7, method 1)."""
    return _uuid7(_draw(1), os.urandom(RANDOM_BYTES))


def uuid7s(count: int) -> list[UUID]:
    """So many new ids, in their order: the lock is taken and the random bits are drawn once for all."""
    first, drawn = _draw(count), os.urandom(RANDOM_BYTES * count)
    tails = (drawn[start : start + RANDOM_BYTES] for start in range(0, len(drawn), RANDOM_BYTES))
    return [_uuid7(first + place, tail) for place, tail in enumerate(tails)]


def _draw(count: int) -> int:
    """The first of so many numbers that nobody else has: milliseconds, then a counter that may run into the next."""
    global _last
    with _lock:
        first = max(_last + 1, (time.time_ns() // 1_000_000) << COUNTER_BITS)
        _last = first + count - 1
    return first


def _uuid7(stamp: int, tail: bytes) -> UUID:
    head = (stamp >> COUNTER_BITS) << 16 | VERSION << 12 | stamp & COUNTER_MASK
    number = head << 64 | VARIANT << 62 | int.from_bytes(tail, "big") >> 2
    return msgspec.convert(number.to_bytes(16, "big"), UUID)  # in half the time of UUID(int=number)


def text(identity: UUID) -> str:
    """The same as str(identity), in a quarter of the time."""
    return str(msgspec.to_builtins(identity))
