"""The figures of the charts: a station's day, its week, its usual day, and the sums of a city."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from statistics import quantiles
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from stations.history.days import spans_of
from stations.history.reading import changes_between, city_hours, hours_between
from stations.history.samples import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    Hour,
    day_of,
    milliseconds,
    moment,
    pieces,
    start_of,
)
from stations.models import Station

WEEKS_OF_THE_USUAL_DAY = 8  # a season: long enough for quartiles, too short for summer and winter to mix
DAYS_OF_THE_USUAL_DAY_MIN = 3  # fewer have no middle
WEEK_DAYS = 7
POINTS_MAX = 2_000  # of a line: more than pixels; a real station has some 300 changes on its busiest day


class Usual(NamedTuple):
    """An hour of the usual day: the quartiles of its means on the same weekday of the last weeks."""

    low: float
    median: float
    high: float


def bounds_of(day: date, zone: ZoneInfo, *, days: int = 1) -> tuple[int, int]:
    """Return where the local day begins, and where the last of so many days ends. A day may have 23 or 25 hours."""
    ends = [datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=days))]
    return milliseconds(ends[0]), milliseconds(ends[1])


def whole_hours(bounds: tuple[int, int]) -> tuple[int, int]:
    """Return the bounds at whole hours of UTC, for zones such as India's."""
    return bounds[0] // HOUR_MS * HOUR_MS, -(-bounds[1] // HOUR_MS) * HOUR_MS


def line_of(station: Station, bounds: tuple[int, int]) -> dict[str, list[Any]]:
    """Return the points of a day's line: the bikes from each time on, and None where nobody knows them."""
    spans = spans_of(station.feed, *bounds)
    known = sorted(
        (begin, end, one.bikes) for one, begin, end in pieces(changes_between(station, *bounds), spans, *bounds)
    )
    if len(known) > POINTS_MAX:
        known = list({begin // MINUTE_MS: (begin, end, bikes) for begin, end, bikes in known}.values())
    at: list[int] = []
    bikes: list[int | None] = []
    for number, (begin, end, count) in enumerate(known):
        at.append(begin // SECOND_MS)
        bikes.append(count)
        if number + 1 == len(known) or known[number + 1][0] > end + MINUTE_MS:
            at += [end // SECOND_MS, end // SECOND_MS + 1]
            bikes += [count, None]
    return {"at": at, "bikes": bikes}


def week_of(hours: Sequence[Hour]) -> dict[str, list[Any]]:
    """Return the points of a week: of each hour the mean, the lowest and the highest count."""
    return {
        "at": [hour.at // SECOND_MS for hour in hours],
        "mean": [None if hour.mean is None else round(hour.mean, 2) for hour in hours],
        "low": [hour.lowest if hour.known_ms else None for hour in hours],
        "high": [hour.highest if hour.known_ms else None for hour in hours],
    }


def usual_day(station: Station, day: date, zone: ZoneInfo) -> dict[int, Usual]:
    """Return the usual figures of this weekday by local hour, from the weeks before."""
    found: dict[int, list[float]] = {}
    for weeks in range(1, WEEKS_OF_THE_USUAL_DAY + 1):
        for hour in hours_between(station, *whole_hours(bounds_of(day - timedelta(weeks=weeks), zone))):
            if hour.mean is not None:
                found.setdefault(moment(hour.at).astimezone(zone).hour, []).append(hour.mean)
    return {
        hour: Usual(*(round(one, 1) for one in quantiles(means, n=4, method="inclusive")))
        for hour, means in sorted(found.items())
        if len(means) >= DAYS_OF_THE_USUAL_DAY_MIN
    }


def city_sums(feed: str, contract: str, bounds: tuple[int, int]) -> dict[str, list[Any]]:
    """Return a city's bikes by hour: the sum of its stations' means; and the share of time without one."""
    since, until = bounds
    sums = {at: [0.0, 0, 0] for at in range(since, until, HOUR_MS)}
    for at in range(start_of(day_of(since)), until, DAY_MS):
        for hour in (one for hours in city_hours(feed, contract, day_of(at)).values() for one in hours):
            if hour.known_ms and hour.at in sums:
                _add(sums[hour.at], hour)
    known = list(sums.items())
    return {
        "at": [at // SECOND_MS for at, _ in known],
        "bikes": [round(bikes) if ms else None for _, (bikes, ms, _) in known],
        "empty": [round(100 * empty / ms, 1) if ms else None for _, (_, ms, empty) in known],
    }


def _add(sums: list[Any], hour: Hour) -> None:
    sums[0] += hour.mean
    sums[1] += hour.known_ms
    sums[2] += hour.empty_ms


def summed(hours: Iterable[Hour]) -> Hour:
    """Return hours as one: the row of a day in a table."""
    known = [hour for hour in hours if hour.known_ms]
    return Hour(
        at=min((hour.at for hour in known), default=0),
        lowest=min((hour.lowest for hour in known), default=0),
        highest=max((hour.highest for hour in known), default=0),
        bike_ms=sum(hour.bike_ms for hour in known),
        known_ms=sum(hour.known_ms for hour in known),
        empty_ms=sum(hour.empty_ms for hour in known),
        full_ms=sum(hour.full_ms for hour in known),
    )
