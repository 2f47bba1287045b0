"""The writes of the history as events come: one row per change, and the times in which a feed answered."""

from datetime import timedelta

from django.db import connection

from stations.events import PollFinished, StationChanged
from stations.history.samples import State, milliseconds, moment
from stations.models import FeedSpan, RecentChange, Station

MISSED_POLLS_MAX = 3  # intervals between two answers without a gap: a poll may fail and its repetition too
GAP_SECONDS_MIN = 300  # a shorter silence is no gap: the poller of a feed may move to another process meanwhile


def record_change(event: StationChanged) -> None:
    """Write the station's new state. Handled twice, it is one row, and of one time the newest version stays.

    An event without kinds is written too: it repeats the state of a module that started late. Raw SQL, since the ORM
    would read the station first.
    """
    at = connection.ops.adapt_datetimefield_value(moment(milliseconds(event.polled_at)))
    figures = (at, event.version, event.bikes, event.electrical, event.stands, state_of(event))
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, (*figures, event.feed, event.station_id))


def state_of(event: StationChanged) -> State:
    """Return the state that the event tells of its station."""
    if event.gone:
        return State.GONE
    if event.bad:
        return State.UNREADABLE
    if event.held:
        return State.HELD
    return State.OPEN if event.status == "OPEN" else State.CLOSED


_TABLE = RecentChange._meta.db_table
_FIGURES = ("version", "bikes", "electrical", "stands", "state")
# CAST: PostgreSQL knows no type of a parameter in a SELECT.
_UPSERT = (
    f"INSERT INTO {_TABLE} (station_id, at, {', '.join(_FIGURES)})"
    " SELECT id, CAST(%s AS {datetime}), CAST(%s AS integer), CAST(%s AS integer), CAST(%s AS integer),"
    " CAST(%s AS integer), CAST(%s AS integer)"
    f" FROM {Station._meta.db_table} WHERE feed = %s AND station_id = %s"
    f" ON CONFLICT (station_id, at) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _FIGURES)}"
    f" WHERE {_TABLE}.version < excluded.version"
).replace("{datetime}", "timestamp with time zone" if connection.vendor == "postgresql" else "text")


def record_answer(event: PollFinished) -> None:
    """Lengthen a span of the feed to this answer, or begin a new one after a gap. Handled twice, it does nothing.

    A failed poll is no answer. One that comes late, as in a replay, or after answers of a clock that was ahead, belongs
    to the spans around its own time. It may join them.
    """
    if not event.ok:
        return
    silence = longest_silence(event.interval_ms)
    spans = FeedSpan.objects.filter(feed=event.feed)
    before = spans.filter(since__lte=event.at).order_by("-since").first()
    after = spans.filter(since__gt=event.at).order_by("since").first()
    if before and event.at <= before.until:
        return
    follows = before is not None and event.at <= before.until + silence
    leads = after is not None and after.since <= event.at + silence
    if before and follows:
        before.until = after.until if after and leads else event.at
        before.save(update_fields=["until"])
        if after and leads:
            after.delete()
    elif after and leads:
        spans.filter(pk=after.pk).update(since=event.at)
    else:
        FeedSpan.objects.bulk_create([FeedSpan(feed=event.feed, since=event.at, until=event.at)], ignore_conflicts=True)


def longest_silence(interval_ms: int) -> timedelta:
    """Return the longest time between two answers that is no gap."""
    return max(timedelta(seconds=GAP_SECONDS_MIN), MISSED_POLLS_MAX * timedelta(milliseconds=interval_ms))
