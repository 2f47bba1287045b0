"""The counts of what came later, and the probabilities that follow from them. Pure arithmetic, without tables."""

import math
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

HORIZONS = (15, 30, 60)  # minutes
TARGETS = ("bike", "place")
HOURS = 24
BLOCKS = 8  # of three local hours: finer ones would be empty for the expected bikes
BLOCK_HOURS = HOURS // BLOCKS
FEW_MAX = 4  # up to here each count has a row of its own: near none the next bike decides
ROWS_ABOVE = (6, 9, 14)  # the highest counts of the next rows
BUCKETS = FEW_MAX + 1 + len(ROWS_ABOVE) + 1
STEPS_OF_A_BIKE = 2  # an expected count is told apart by halves
EXPECTED_MIN, EXPECTED_MAX = -1, 10  # bikes; further ones are as sure as these
EXPECTED = (EXPECTED_MAX - EXPECTED_MIN) * STEPS_OF_A_BIKE + 1
PRIOR_OF_A_ROW = 2.0  # looks; so many as now weigh as much as a row's own
PRIOR_OF_AN_HOUR = 5.0  # looks of all hours that weigh as much as an hour's own

_CELLS = len(HORIZONS) * len(TARGETS)
_TABLE = _CELLS * BUCKETS * HOURS * 2
_MODEL = _CELLS * EXPECTED * BLOCKS * 2
_PACKED = struct.Struct(f"<{2 * len(HORIZONS)}d{_TABLE + _MODEL}I")


class Look(NamedTuple):
    """One look at a station and its later state. The expected bikes are None while nothing usual is known."""

    horizon: int  # its number in HORIZONS
    hour: int  # local, of the look
    bikes: int
    stands: int | None
    expected: float | None


class Counts:
    """Counts of looks and of those that met a bike, or a place, later: by the count now, and by the expected count.

    `leans` holds two sums for each horizon. Their quotient is the share of an unusual surplus that lasts so long.
    """

    def __init__(self, leans: Iterable[float] = (), cells: Iterable[int] = ()) -> None:
        self.leans = list(leans) or [0.0] * (2 * len(HORIZONS))
        self.cells = list(cells) or [0] * (_TABLE + _MODEL)

    def add(self, look: Look, later_bikes: int, later_stands: int | None) -> None:
        """Count one look with its outcome."""
        for target, now, expected, later in _sides(look, later_bikes, later_stands):
            met = later > 0
            self._count(_table_at(look, target, now), met)
            if expected is not None:
                self._count(_model_at(look, target, expected), met)

    def lean(self, horizon: int, surplus: float, later_surplus: float) -> None:
        """Count how much of a surplus over the usual lasted."""
        self.leans[2 * horizon] += surplus * later_surplus
        self.leans[2 * horizon + 1] += surplus * surplus

    def lasting(self, horizon: int) -> float:
        """Return the share of a surplus that lasts. All of it while nothing is counted: as now."""
        met, of = self.leans[2 * horizon : 2 * horizon + 2]
        return min(max(met / of, 0.0), 1.0) if of else 1.0

    def merge(self, other: "Counts") -> None:
        self.leans = [a + b for a, b in zip(self.leans, other.leans, strict=True)]
        self.cells = [a + b for a, b in zip(self.cells, other.cells, strict=True)]

    def packed(self) -> bytes:
        return zlib.compress(_PACKED.pack(*self.leans, *self.cells))

    @classmethod
    def unpacked(cls, content: Any) -> "Counts":
        values = _PACKED.unpack(zlib.decompress(content))
        return cls(values[: 2 * len(HORIZONS)], values[2 * len(HORIZONS) :])

    def _count(self, at: int, met: bool) -> None:
        self.cells[at] += 1
        self.cells[at + 1] += met


class Chances(NamedTuple):
    """The probability of at least one, by each method."""

    model: float
    table: float


class Oracle:
    """The probabilities that follow from counts."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self._rows = dict(self._sums(0, BUCKETS, HOURS) | self._sums(_TABLE, EXPECTED, BLOCKS))

    def chances(self, look: Look) -> tuple[Chances, Chances | None]:
        """Return the chances of a bike and of a place. No place is forecast where bikes stand anywhere."""
        found = [self._chances(look, target, now, expected) for target, now, expected, _ in _sides(look, 0, 0)]
        return found[0], (found[1] if len(found) > 1 else None)

    def _chances(self, look: Look, target: int, now: int, expected: float | None) -> Chances:
        table = self._shrunk(_table_at(look, target, now), 0, HOURS, float(now > 0))
        if expected is None:
            return Chances(table, table)
        return Chances(self._shrunk(_model_at(look, target, expected), _TABLE, BLOCKS, table), table)

    def _shrunk(self, at: int, begin: int, width: int, prior: float) -> float:
        """Return a cell's share. A cell of few looks is drawn to its row, and a row of few looks to the prior."""
        n, met = self._rows[begin + (at - begin) // (2 * width) * (2 * width)]
        row = (met + PRIOR_OF_A_ROW * prior) / (n + PRIOR_OF_A_ROW)
        n, met = self.counts.cells[at : at + 2]
        return (met + PRIOR_OF_AN_HOUR * row) / (n + PRIOR_OF_AN_HOUR)

    def _sums(self, begin: int, rows: int, width: int) -> dict[int, tuple[int, int]]:
        cells, size = self.counts.cells, 2 * width
        starts = range(begin, begin + _CELLS * rows * size, size)
        return {at: (sum(cells[at : at + size : 2]), sum(cells[at + 1 : at + size : 2])) for at in starts}


def _sides(look: Look, bikes: int, stands: int | None) -> Iterator[tuple[int, int, float | None, int]]:
    """Yield each target: its number, its count now, its expected count, and its later count."""
    yield 0, look.bikes, look.expected, bikes
    if look.stands is not None and stands is not None:
        left = None if look.expected is None else look.stands + look.bikes - look.expected
        yield 1, look.stands, left, stands


def _table_at(look: Look, target: int, now: int) -> int:
    row = (look.horizon * len(TARGETS) + target) * BUCKETS + bucket(now)
    return (row * HOURS + look.hour) * 2


def _model_at(look: Look, target: int, expected: float) -> int:
    step = math.floor(min(max(expected, EXPECTED_MIN), EXPECTED_MAX) * STEPS_OF_A_BIKE)
    row = (look.horizon * len(TARGETS) + target) * EXPECTED + step - EXPECTED_MIN * STEPS_OF_A_BIKE
    return _TABLE + (row * BLOCKS + look.hour // BLOCK_HOURS) * 2


def bucket(count: int) -> int:
    """Return the table's row of a count."""
    if count <= FEW_MAX:
        return count
    return FEW_MAX + 1 + sum(count > highest for highest in ROWS_ABOVE)
