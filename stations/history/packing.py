"""Pack a station's day into bytes: its changes, and its 24 hours. A year of 2,500 stations fits on a small disk so."""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

from stations.history.samples import HOUR_MS, Hour, Sample

HOURS_OF_A_DAY = 24
NONE = 0xFFFF  # stands for None
COUNT_MAX = NONE - 1  # more bikes than any station has
_CARRIED = 0x80  # of the first sample: the state in which the day began, and no change of it
_CHANGE = struct.Struct("<IHHHB")  # milliseconds of the day, bikes, electrical, stands, state: 11 bytes
_HOUR = struct.Struct("<HHQIII")  # lowest, highest, bike_ms, known_ms, empty_ms, full_ms: 24 bytes
LEVEL = 6  # of zlib: a higher one takes longer and saves a hundredth


def pack_changes(start: int, carried: Sample | None, changes: Sequence[Sample]) -> bytes:
    """Return the day that begins at `start`, with the state in which it began, if that is known."""
    rows = [_CHANGE.pack(0, *_counts(carried), carried.state | _CARRIED)] if carried else []
    rows += [_CHANGE.pack(one.at - start, *_counts(one), one.state) for one in changes]
    return zlib.compress(b"".join(rows), LEVEL)


def unpack_changes(start: int, packed: Any) -> tuple[Sample | None, list[Sample]]:
    """Return the state in which the day began, and its changes in order. A day that was forgotten has neither."""
    content = zlib.decompress(packed) if packed else b""
    rows = list(_CHANGE.iter_unpack(content))
    carried = _sample(start, rows.pop(0)) if rows and rows[0][4] & _CARRIED else None
    return carried, [_sample(start, row) for row in rows]


def state_at(start: int, packed: Any, at: int) -> Sample | None:
    """Return the state of this day at a time, without unpacking the others: a city's moment reads thousands of days."""
    content = zlib.decompress(packed) if packed else b""
    low, high = 0, len(content) // _CHANGE.size
    while low < high:
        middle = (low + high) // 2
        if int.from_bytes(content[middle * _CHANGE.size : middle * _CHANGE.size + 4], "little") <= at - start:
            low = middle + 1
        else:
            high = middle
    return _sample(start, _CHANGE.unpack_from(content, (low - 1) * _CHANGE.size)) if low else None


def pack_hours(hours: Sequence[Hour]) -> bytes:
    """Return a day's hours."""
    return zlib.compress(b"".join(_HOUR.pack(min(h.lowest, NONE), min(h.highest, NONE), *h[3:]) for h in hours), LEVEL)


def unpack_hours(start: int, packed: Any) -> list[Hour]:
    """Return the hours of the day that begins at `start`."""
    rows = _HOUR.iter_unpack(zlib.decompress(packed))
    return [Hour(start + number * HOUR_MS, *row) for number, row in enumerate(rows)]


def _counts(sample: Sample) -> tuple[int, int, int]:
    electrical = NONE if sample.electrical is None else min(sample.electrical, COUNT_MAX)
    stands = NONE if sample.stands is None else min(sample.stands, COUNT_MAX)
    return min(sample.bikes, COUNT_MAX), electrical, stands


def _sample(start: int, row: tuple[int, ...]) -> Sample:
    at, bikes, electrical, stands, state = row
    known = [None if count == NONE else count for count in (electrical, stands)]
    return Sample(start + at, bikes, known[0], known[1], state & ~_CARRIED)
