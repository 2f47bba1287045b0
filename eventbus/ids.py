"""Ids that cross borders: UUID version 7, which sort by the time they were made."""

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last = 0
COUNTER_BITS = 12  # rand_a of RFC 9562, used as a counter so that ids of one millisecond keep their order
VERSION, VARIANT = 7, 0b10


def uuid7() -> UUID:
    """A new id: 48 bits of Unix milliseconds, a counter, 62 random bits (RFC 9562, section 5.7, method 1)."""
    global _last
    with _lock:
        _last = max(_last + 1, (time.time_ns() // 1_000_000) << COUNTER_BITS)
        stamp = _last
    head = (stamp >> COUNTER_BITS) << 16 | VERSION << 12 | stamp & 0xFFF
    tail = int.from_bytes(os.urandom(8), "big") >> 2 | VARIANT << 62
    return UUID(int=head << 64 | tail)
