"""Read the past: a station's changes and hours between two times, and a city's stations at one moment."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from django.db.models import Max, OuterRef, QuerySet, Subquery

from eventbus import clock
from stations.history import packing
from stations.history.days import LOOK_BACK_DAYS, before, merged, sample_of, spans_of
from stations.history.samples import DAY_MS, Hour, Sample, day_of, hours_of, milliseconds, moment, start_of
from stations.models import FeedSpan, RecentChange, Station, StationDay, StationHours


class Moment(NamedTuple):
    """Stations at one moment, by their ids. `known`: the feed answered around it."""

    at: int
    samples: dict[int, Sample]
    known: bool


def changes_between(station: Station, since: int, until: int) -> list[Sample]:
    """Return the state at `since`, if it is known, and the changes after it and before `until`."""
    first = day_of(since)
    packed = StationDay.objects.filter(station=station, day__in=_days(since, until)).values_list("day", "changes")
    unpacked = {day: packing.unpack_changes(start_of(day), content) for day, content in packed}
    recent = RecentChange.objects.filter(station=station, at__gte=moment(start_of(first)), at__lt=moment(until))
    began = unpacked[first][0] if first in unpacked else _state_before(station, first)
    changes = merged((one for _, some in unpacked.values() for one in some), map(sample_of, recent.iterator()))
    earlier = [one for one in [began, *changes] if one and one.at <= since]
    return [one._replace(at=since) for one in earlier[-1:]] + [one for one in changes if since < one.at < until]


def hours_between(station: Station, since: int, until: int) -> list[Hour]:
    """Return the hours between two whole hours, in order: packed ones, and others counted now from the changes."""
    days = _days(since, until)
    packed = StationHours.objects.filter(station=station, day__in=days).values_list("day", "hours")
    hours = {day: packing.unpack_hours(start_of(day), content) for day, content in packed}
    recent = RecentChange.objects.filter(station=station, at__lt=moment(until)).order_by("at").first()
    late = day_of(sample_of(recent).at) if recent else None
    for day in days:
        if day not in hours or (late and late <= day):
            hours[day] = _counted(station, day)
    return [hour for day in days for hour in hours[day] if since <= hour.at < until]


def city_at(feed: str, contract: str, at: int) -> Moment:
    """Return the stations of a city at a moment. Those of which nothing was known by then are left out."""
    samples = _samples_at(Station.objects.filter(feed=feed, contract=contract), at)
    return Moment(
        at, samples, FeedSpan.objects.filter(feed=feed, since__lte=moment(at), until__gte=moment(at)).exists()
    )


def city_hours(feed: str, contract: str, day: date) -> dict[int, list[Hour]]:
    """Return the hours of a day for each station of a city, by its id. What is not packed is counted now."""
    stations = Station.objects.filter(feed=feed, contract=contract)
    start, end = start_of(day), start_of(day) + DAY_MS
    rows = StationHours.objects.filter(day=day, station__in=stations).values_list("station_id", "hours")
    packed = {station: packing.unpack_hours(start, content) for station, content in rows.iterator()}
    lacking = stations.exclude(pk__in=packed)
    if end <= milliseconds(clock.now()) - LOOK_BACK_DAYS * DAY_MS or not lacking.exists():
        return packed
    samples = {station: [one._replace(at=start)] for station, one in _samples_at(lacking, start).items()}
    recent = RecentChange.objects.filter(station__in=lacking, at__gt=moment(start), at__lt=moment(end))
    for row in recent.order_by("at").iterator():
        samples.setdefault(row.station_id, []).append(sample_of(row))
    spans = spans_of(feed, start, end)
    return packed | {station: hours_of(some, spans, start, end) for station, some in samples.items()}


def first_day(feed: str) -> date | None:
    """Return the first day of which something is kept about this feed."""
    since = FeedSpan.objects.filter(feed=feed).order_by("since").values_list("since", flat=True).first()
    return since.date() if since else None


def _days(since: int, until: int) -> list[date]:
    return [day_of(at) for at in range(start_of(day_of(since)), until, DAY_MS)]


def _counted(station: Station, day: date) -> list[Hour]:
    start = start_of(day)
    end = start + DAY_MS
    return hours_of(changes_between(station, start, end), spans_of(station.feed, start, end), start, end)


def _state_before(station: Station, day: date) -> Sample | None:
    """Return the state in which this day began, from the changes before it."""
    rows = StationDay.objects.filter(station=station, day__in=before(day)).order_by("-day")
    packed = rows.values_list("day", "changes").first()
    states: list[Sample] = []
    if packed:
        carried, changes = packing.unpack_changes(start_of(packed[0]), packed[1])
        states += [one for one in [carried, *changes] if one]
    recent = RecentChange.objects.filter(station=station, at__lt=moment(start_of(day))).order_by("-at").first()
    states += [sample_of(recent)] if recent else []
    return max(states, key=lambda one: one.at, default=None)


def _samples_at(stations: QuerySet[Station], at: int) -> dict[int, Sample]:
    """Return the state of each of these stations at a time, by its id."""
    samples = _packed_at(stations, at)
    for row in _recent_at(stations, at):
        one = sample_of(row)
        if row.station_id not in samples or samples[row.station_id].at <= one.at:
            samples[row.station_id] = one
    return samples


def _packed_at(stations: QuerySet[Station], at: int) -> dict[int, Sample]:
    """Return the states at a time that the packed days tell.

    While a day is being packed, only some stations have it: the others tell theirs by an earlier day.
    """
    newest = StationDay.objects.filter(day__lte=day_of(at), station__in=stations).order_by("-day")
    day = newest.values_list("day", flat=True).first()
    if day is None:
        return {}
    found = _packed_on(day, StationDay.objects.filter(station__in=stations), at)
    earlier = StationDay.objects.filter(day__in=before(day), station__in=stations.exclude(pk__in=found))
    lacking: dict[date, list[int]] = {}
    for station, last in earlier.order_by().values_list("station").annotate(last=Max("day")):
        lacking.setdefault(last, []).append(station)
    for last, some in lacking.items():
        found |= _packed_on(last, StationDay.objects.filter(station__in=some), at)
    return {station: one for station, one in found.items() if one}


def _packed_on(day: date, rows: QuerySet[StationDay], at: int) -> dict[int, Sample | None]:
    packed = rows.filter(day=day).values_list("station_id", "changes")
    return {station: packing.state_at(start_of(day), content, at) for station, content in packed.iterator()}


def _recent_at(stations: QuerySet[Station], at: int) -> Iterable[RecentChange]:
    """Return the last recent change of each station until `at`: one look into the index for each."""
    last = RecentChange.objects.filter(station=OuterRef("pk"), at__lte=moment(at)).order_by("-at").values("pk")[:1]
    newest = stations.annotate(last=Subquery(last)).values("last")
    return RecentChange.objects.filter(pk__in=newest)
