"""A station's state at a time, as its history holds it, and the hours that such states fill."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Span = tuple[int, int]  # from and until, in milliseconds since 1970


class State(IntEnum):
    """The state of a station. Only an open one counts in the hours: the figures of the others help no rider."""

    OPEN = 0
    CLOSED = 1  # any status but "OPEN"
    GONE = 2
    UNREADABLE = 3
    HELD = 4


class Sample(NamedTuple):
    """A station's state from `at` on, until its next sample."""

    at: int  # milliseconds since 1970
    bikes: int
    electrical: int | None
    stands: int | None
    state: int

    @property
    def figures(self) -> tuple[int, int | None, int | None, int]:
        return self[1:]


class Hour(NamedTuple):
    """One hour of a station. Times are milliseconds of the hour in which the station was open and its feed answered."""

    at: int
    lowest: int = 0
    highest: int = 0
    bike_ms: int = 0  # bikes times milliseconds: an integer, so that sums are exact
    known_ms: int = 0
    empty_ms: int = 0
    full_ms: int = 0

    @property
    def mean(self) -> float | None:
        return self.bike_ms / self.known_ms if self.known_ms else None


def milliseconds(when: datetime) -> int:
    """Return whole milliseconds since 1970. Floats would be inexact."""
    return (when - EPOCH) // timedelta(milliseconds=1)


def moment(at: int) -> datetime:
    return EPOCH + timedelta(milliseconds=at)


def day_of(at: int) -> date:
    """Return the day in UTC."""
    return moment(at).date()


def start_of(day: date) -> int:
    return milliseconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def hours_of(samples: Sequence[Sample], spans: Sequence[Span], since: int, until: int) -> list[Hour]:
    """Return the hours from `since`, a whole hour, to `until`, in order.

    `samples` are in order, and the last one holds until `until`. Only the time inside `spans`, which do not overlap,
    is counted.
    """
    hours = [Hour(at) for at in range(since, until, HOUR_MS)]
    for sample, begin, end in pieces(samples, spans, since, until):
        for number in range((begin - since) // HOUR_MS, (end - 1 - since) // HOUR_MS + 1):
            hour = hours[number]
            inside = min(end, hour.at + HOUR_MS) - max(begin, hour.at)
            hours[number] = _grown(hour, sample, inside)
    return hours


def pieces(
    samples: Sequence[Sample], spans: Iterable[Span], since: int, until: int
) -> Iterator[tuple[Sample, int, int]]:
    """Yield the times in which an open station's figures are known, in order, each with its sample."""
    ends = [*(sample.at for sample in samples), until][1:]
    lasting = [one for one in zip(samples, ends, strict=True) if one[0].state == State.OPEN]
    for first, last in spans:
        for sample, end in lasting:
            begin, end = max(sample.at, first, since), min(end, last, until)
            if begin < end:
                yield sample, begin, end


def _grown(hour: Hour, sample: Sample, ms: int) -> Hour:
    """Return the hour with a piece more."""
    return Hour(
        at=hour.at,
        lowest=min(hour.lowest, sample.bikes) if hour.known_ms else sample.bikes,
        highest=max(hour.highest, sample.bikes),
        bike_ms=hour.bike_ms + sample.bikes * ms,
        known_ms=hour.known_ms + ms,
        empty_ms=hour.empty_ms + (ms if sample.bikes == 0 else 0),
        full_ms=hour.full_ms + (ms if sample.stands == 0 else 0),
    )
