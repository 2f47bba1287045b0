"""Pack the days that are over, and forget the oldest. Each step is a small transaction that may be repeated."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, Max, OuterRef, Q

from eventbus import clock
from stations.history import packing
from stations.history.samples import DAY_MS, Sample, Span, day_of, hours_of, milliseconds, moment, start_of
from stations.models import FeedSpan, RecentChange, Station, StationDay, StationHours

STATIONS_AT_ONCE = 50  # packed in one transaction of some 100 ms, so that the next poll is hardly late
LOOK_BACK_DAYS = 40  # a feed that is silent for longer begins anew with the next change of each station
FORGOTTEN_AT_ONCE = 5_000  # rows of a table: two days of all stations, each minute
ONE_DAY = timedelta(days=1)


def pack_some(feed: str, *, fence: Callable[[], object] = lambda: None) -> int:
    """Pack the full days of some stations of a feed. Return the number of stations, 0 if none is due.

    A day is full once the feed has answered after its end: the times of its answers are complete then. A change that
    comes later is merged into its day, and the hours are counted again. `fence` raises, inside the transaction, if
    another process packs this feed.
    """
    last = last_full_day(feed)
    if last is None:
        return 0
    with transaction.atomic():
        fence()
        due = list(_due(feed, last)[:STATIONS_AT_ONCE])
        for station in due:
            _pack(station, feed, last)
    return len(due)


def is_packed(feed: str, last: date) -> bool:
    """Return True if nothing until the end of this day waits to be packed."""
    return not _due(feed, last).exists()


def last_full_day(feed: str) -> date | None:
    """Return the last day after whose end the feed has answered. An answer of the future, by a wrong clock, is none."""
    now = clock.now()
    until = FeedSpan.objects.filter(feed=feed, since__lte=now).aggregate(until=Max("until"))["until"]
    return day_of(milliseconds(min(until, now))) - ONE_DAY if until else None


def spans_of(feed: str, since: int, until: int) -> list[Span]:
    """Return the times between in which the feed answered, in order."""
    rows = FeedSpan.objects.filter(feed=feed, until__gte=moment(since), since__lte=moment(until)).order_by("since")
    return [(milliseconds(a), milliseconds(b)) for a, b in rows.values_list("since", "until")]


def sample_of(row: RecentChange) -> Sample:
    return Sample(milliseconds(row.at), row.bikes, row.electrical, row.stands, row.state)


def merged(packed: Iterable[Sample], recent: Iterable[Sample]) -> list[Sample]:
    """Return both in order. Of two of one time the recent one stays."""
    return sorted(({one.at: one for one in packed} | {one.at: one for one in recent}).values())


def forget(*, today: date) -> int:
    """Delete some of the oldest rows beyond the days to keep. Return their number."""
    changes_since = today - timedelta(days=settings.STATIONS_HISTORY_DAYS)
    hours_since = today - timedelta(days=settings.STATIONS_HISTORY_HOURS_DAYS)
    begin = moment(start_of(changes_since))
    return (
        _delete(StationDay, Q(day__lt=changes_since))
        + _delete(StationHours, Q(day__lt=hours_since))
        + _delete(RecentChange, Q(at__lt=begin))  # of a feed that never answered again
        + _delete(FeedSpan, Q(until__lt=begin))
    )


def _delete(model: type[models.Model], old: Q) -> int:
    some = list(model._default_manager.filter(old).values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    return model._default_manager.filter(pk__in=some).delete()[0] if some else 0


def _due(feed: str, last: date) -> models.QuerySet[Station, int]:
    """Return the ids of the stations with changes to merge, and of those that only lack the last day."""
    changes = RecentChange.objects.filter(station=OuterRef("pk"), at__lt=_end(last))
    days = StationDay.objects.filter(station=OuterRef("pk"))
    lacking = ~Exists(days.filter(day=last)) & Exists(days.filter(day__in=before(last)))
    return Station.objects.filter(Exists(changes) | Q(lacking), feed=feed).order_by("pk").values_list("pk", flat=True)


def _end(day: date) -> datetime:
    return moment(start_of(day) + DAY_MS)


def before(day: date) -> list[date]:
    """Return the days before. Listed, since the index begins with the day."""
    return [day - n * ONE_DAY for n in range(1, LOOK_BACK_DAYS + 1)]


def _pack(station: int, feed: str, last: date) -> None:
    # Locked, since a handler may write a newer version of the same time.
    rows = list(RecentChange.objects.select_for_update().filter(station=station, at__lt=_end(last)).order_by("at"))
    changes = {day: list(of_day) for day, of_day in groupby(map(sample_of, rows), lambda one: day_of(one.at))}
    known = _known(station, max(min(changes, default=last), _border(last)), last)
    due = _days(changes, known, last)
    carried = _carried_into(due[0], known, changes) if due else None
    for day in due:
        began, kept = packing.unpack_changes(start_of(day), known.get(day))
        if day in changes or day not in known or not _same(began, carried):
            kept = merged(kept, changes.get(day, ()))
            _write(station, feed, day, carried, kept)
        carried = kept[-1] if kept else carried
    RecentChange.objects.filter(pk__in=[row.pk for row in rows]).delete()


def _known(station: int, first: date, last: date) -> dict[date, bytes]:
    """Return the packed days since the day before the first, or since the last packed one before that."""
    days = {*before(first), *(first + n * ONE_DAY for n in range((last - first).days + 1))}
    rows = StationDay.objects.filter(station=station, day__in=days).values_list("day", "changes")
    return {day: bytes(changes) for day, changes in rows}


def _days(changes: dict[date, list[Sample]], known: dict[date, bytes], last: date) -> list[date]:
    """Return the days to look at: from the first one with changes, or after the last packed one, to the last full one.

    Changes older than those that are kept are left out.
    """
    newest = max((day for day in known if day <= last), default=None)
    first = min([*changes, *([newest + ONE_DAY] if newest else [])], default=last + ONE_DAY)
    first = max(first, _border(last))
    return [first + n * ONE_DAY for n in range((last - first).days + 1)]


def _border(last: date) -> date:
    """Return the first day that is kept, as seen from the last full one."""
    return last + ONE_DAY - timedelta(days=settings.STATIONS_HISTORY_DAYS)


def _carried_into(day: date, known: dict[date, bytes], changes: dict[date, list[Sample]]) -> Sample | None:
    """Return the state in which a day begins. At the border of what is kept only the day itself still tells it."""
    if day in known and day - ONE_DAY not in known:
        return packing.unpack_changes(start_of(day), known[day])[0]
    states = [_end_state(one, known) for one in known if one < day]
    states += [some[-1] for one, some in changes.items() if one < day]
    return max(filter(None, states), key=lambda state: state.at, default=None)


def _end_state(day: date, known: dict[date, bytes]) -> Sample | None:
    carried, kept = packing.unpack_changes(start_of(day), known.get(day))
    return kept[-1] if kept else carried


def _same(one: Sample | None, other: Sample | None) -> bool:
    return (one and one.figures) == (other and other.figures)


def _write(station: int, feed: str, day: date, carried: Sample | None, changes: Sequence[Sample]) -> None:
    start = start_of(day)
    began = [carried._replace(at=start)] if carried else []
    hours = hours_of([*began, *changes], spans_of(feed, start, start + DAY_MS), start, start + DAY_MS)
    packed = {"changes": packing.pack_changes(start, carried, changes)}
    StationDay.objects.update_or_create(day=day, station_id=station, defaults=packed)
    StationHours.objects.update_or_create(day=day, station_id=station, defaults={"hours": packing.pack_hours(hours)})
