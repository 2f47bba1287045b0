"""The rhythm of a feed: how old its answers claim to be, how often its counts really move, and when it was down."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from stations.models import PollRun
from stations.services.feed_record import RECORD_HOURS

POLLS_MAX = 5_000  # the newest: SQLite reads them in some 45 ms; of one poll in ten seconds they are half a day


class Rhythm(NamedTuple):
    """The figures of a feed's polls since `since`; None where no poll tells it.

    All times are in seconds. `claimed`: the usual age of an answer when it came, by the feed's own word. `measured`:
    the usual time between two answers with changed counts. `down`: the time without an answer. `jumps` and `shifted`:
    as in `PollRun`.
    """

    since: datetime | None
    claimed: float | None
    measured: float | None
    down: float
    jumps: int
    shifted: int


class _Poll(NamedTuple):
    started: datetime
    outcome: str
    updated_at: datetime | None
    changed: int
    jumps: int
    shifted: int


def rhythm_of(feed: str, *, now: datetime) -> Rhythm:
    """Return the rhythm of a feed's newest polls, at most POLLS_MAX, in the last RECORD_HOURS."""
    rows = PollRun.objects.filter(feed=feed, started__gte=now - timedelta(hours=RECORD_HOURS)).order_by("-started")
    polls = [_Poll(*row) for row in rows.values_list(*_Poll._fields)[:POLLS_MAX]][::-1]
    return Rhythm(
        since=polls[0].started if polls else None,
        claimed=_usual(poll.started - poll.updated_at for poll in polls if poll.updated_at),
        measured=_usual(_pauses([poll.started for poll in polls if poll.changed])),
        down=_down(polls, now),
        jumps=sum(poll.jumps for poll in polls),
        shifted=sum(poll.shifted for poll in polls),
    )


def _usual(spans: Iterable[timedelta]) -> float | None:
    return median(found) if (found := [span.total_seconds() for span in spans]) else None


def _pauses(moments: Sequence[datetime]) -> list[timedelta]:
    return [later - earlier for earlier, later in pairwise(moments)]


def _down(polls: Sequence[_Poll], now: datetime) -> float:
    """Return the seconds from each failed poll to the next poll, or to now after the last."""
    starts = [poll.started for poll in polls]
    pauses = _pauses([*starts, now])
    failed = (pause for poll, pause in zip(polls, pauses, strict=True) if poll.outcome != PollRun.Outcome.OK)
    return sum(failed, timedelta()).total_seconds()
