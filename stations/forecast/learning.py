"""Learn each full day once, after it is packed, and sum up the days before a forecast."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings

from stations.forecast.counts import Counts, Oracle
from stations.forecast.looks import ONE_DAY, counts_of
from stations.forecast.usual import DAYS_LOOKED_AT, Usual, usual_of
from stations.history.days import is_packed, last_full_day
from stations.models import ForecastLesson, Station, StationDay
from stations.services.statistics import city_zone

DAYS_LEARNED_MIN = 3  # before the first forecast: fewer days would say what one day was like


class City(NamedTuple):
    """A city of one feed."""

    feed: str
    contract: str

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(city_zone(self.contract))


class Knowledge(NamedTuple):
    """The knowledge about a city by the end of a day."""

    until: date
    days: int
    oracle: Oracle
    usual: dict[int, Usual]


def knowledge_of(
    city: City, before: date, rest: Callable[[], object] = lambda: None, *, until: date = date.max
) -> Knowledge | None:
    """Return what was learned of the weeks before a day, without that day. None while it is too little.

    `until` leaves out the days after it, which were not learned yet when a forecast was made.
    """
    lessons = ForecastLesson.objects.filter(**city._asdict(), day__lt=before, day__gte=before - weeks())
    rows = list(lessons.filter(day__lte=until).order_by("day").values_list("day", "counts"))
    if len(rows) < DAYS_LEARNED_MIN:
        return None
    return known_from(city, rows[-1][0], [Counts.unpacked(content) for _, content in rows], rest)


def days_learned(city: City, before: date) -> int:
    """Return the number of days on which a forecast would rest."""
    return ForecastLesson.objects.filter(**city._asdict(), day__lt=before, day__gte=before - weeks()).count()


def learn(city: City, day: date, rest: Callable[[], object] = lambda: None) -> None:
    """Learn a packed day. Learned twice, it stays as it was."""
    lesson = ForecastLesson(**city._asdict(), day=day, counts=lesson_of(city, day, rest).packed())
    ForecastLesson.objects.bulk_create([lesson], ignore_conflicts=True)


def lesson_of(city: City, day: date, rest: Callable[[], object] = lambda: None) -> Counts:
    """Return the counts of a packed day, from the days before it and its own outcomes."""
    lessons = ForecastLesson.objects.filter(**city._asdict(), day__lt=day, day__gte=day - weeks())
    earlier = [Counts.unpacked(one) for one in lessons.order_by("day").values_list("counts", flat=True)]
    known = known_from(city, day - ONE_DAY, earlier, rest)
    return counts_of(*city, day, usual=known.usual, known=known.oracle.counts, zone=city.zone, rest=rest)


def day_to_learn(city: City) -> date | None:
    """Return the first packed day that is not learned yet, of those that a forecast would use. None: all are."""
    last = last_full_day(city.feed)
    if last is None or not is_packed(city.feed, last):
        return None
    first = last - weeks() + ONE_DAY
    stations = Station.objects.filter(**city._asdict())
    packed = StationDay.objects.filter(day__range=(first, last), station__in=stations)
    learned = ForecastLesson.objects.filter(**city._asdict(), day__range=(first, last))
    newest = learned.order_by("-day").values_list("day", flat=True).first()
    after = packed.filter(day__gt=newest) if newest else packed
    return after.order_by("day").values_list("day", flat=True).first()


def forget_old(today: date) -> int:
    """Delete the lessons on which no kept forecast rests. Return their number."""
    oldest = today - timedelta(days=settings.STATIONS_FORECAST_DAYS) - weeks()
    return ForecastLesson.objects.filter(day__lt=oldest).delete()[0]


def packed_days(city: City) -> list[date]:
    """Return the days whose changes are packed, in order."""
    days = StationDay.objects.filter(station__in=Station.objects.filter(**city._asdict()))
    return list(days.values_list("day", flat=True).distinct().order_by("day"))


def known_from(city: City, until: date, lessons: list[Counts], rest: Callable[[], object] = lambda: None) -> Knowledge:
    counts = Counts()
    for lesson in lessons:
        counts.merge(lesson)
    return Knowledge(until, len(lessons), Oracle(counts), usual_of(*city, until, city.zone, rest))


def weeks() -> timedelta:
    return timedelta(days=DAYS_LOOKED_AT)
