"""The writes of the stations: record polls, write history, keep and delete remarks, delete old rows."""

import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, models, transaction

from eventbus import publish
from stations import limits
from stations.events import Kind, PollFinished, RemarkDeleted, RemarkLeft, StationChanged
from stations.feeds.feed_interface import Change, Held, Key, PollFailed, State
from stations.models import (
    REASON_LENGTH_MAX,
    REMARK_LENGTH_MAX,
    REMARK_NAME_LENGTH_MAX,
    PollRun,
    Remark,
    Station,
    StationHistory,
    StationRuling,
)
from stations.services import poll_schedule, remark_box
from stations.services.search import folded
from stations.services.station_events import changed_event

ROWS_PER_STATEMENT = 1_000  # of 25 values each: SQLite takes 32,766 values in one statement
HISTORY_ROWS_KEPT = 2_000_000  # some 500 MB; a week of all cities at the 2 to 3 changes a second of a real day
POLL_ROWS_KEPT = 20_000  # half a day of one poll in two seconds: enough to look back after a bad night
JUMP_BIKES_MIN = 10  # bikes of one station between two polls: riders seldom move so many, a van or a fault does
DELETED_AT_ONCE_MAX = 5_000  # rows: some 50 ms, so that others do not wait long for the database

# Letters and symbols by their category, yet invisible: fillers of Hangul, and the empty Braille pattern.
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Overtaken(Exception):
    """Another poller recorded one of these stations first. Nothing was written, so load the stations and poll again."""


class RemarkEmpty(ValueError):
    """The remark has no visible text."""


class RemarkTooLong(ValueError):
    """The name has more than REMARK_NAME_LENGTH_MAX, or the message more than REMARK_LENGTH_MAX characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One poll, ready to be recorded: its changes, or its failure. `began` is of `time.perf_counter()`."""

    feed: str
    asked_at: datetime
    began: float
    fetched: int = 0
    bad: Mapping[str, int] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    failed: PollFailed | None = None
    updated_at: datetime | None = None  # when the feed made its answer, as far as it says so


def load_held(feed: str) -> dict[Key, Held]:
    """Return the recorded state of a feed's stations."""
    columns = ("station_id", "version", "reported_at", *State.__struct_fields__)
    rows = Station.objects.filter(feed=feed).values_list(*columns)
    return {Key(feed, row[0]): Held(row[1], State(*row[3:]), row[2]) for row in rows.iterator()}


def rulings_of(feed: str) -> dict[str, bool]:
    """Return the decisions of staff about a feed's stations, by id: True is held, False is released."""
    return dict(StationRuling.objects.filter(feed=feed).values_list("station_id", "held"))


def record_poll(*, poll: Poll, now: datetime, fence: Callable[[], object] = lambda: None) -> PollRun:
    """Write the changes, publish them, and record the poll's outcome: all of it or nothing.

    The transaction first calls `fence`, which raises if this poller is no longer the active one. Raises Overtaken if
    another poller has changed a station since this one read it.
    """
    with transaction.atomic():
        fence()
        upsert_stations(poll.changes, asked_at=poll.asked_at, now=now)
        run = _run(poll)
        run.save(force_insert=True)
        if poll.failed and poll.failed.retry_after_seconds:
            wait = timedelta(seconds=poll.failed.retry_after_seconds)
            poll_schedule.hold_off(feed=poll.feed, until=now + wait, now=now)
        finished = _finished_event(run, interval_ms=poll_schedule.interval_ms_of(poll.feed))
        publish(*(changed_event(change, poll.asked_at) for change in poll.changes), finished)
    return run


def upsert_stations(written: Iterable[Change], *, asked_at: datetime, now: datetime) -> None:
    """Insert new stations and update changed ones. An update needs the version before, else Overtaken is raised."""
    # In one order everywhere, so that two pollers never deadlock.
    changes = sorted(written, key=lambda change: change.key)
    polled_at, written_at = _database_time(asked_at), _database_time(now)
    for start in range(0, len(changes), ROWS_PER_STATEMENT):
        part = changes[start : start + ROWS_PER_STATEMENT]
        rows = [_row(change, polled_at, written_at) for change in part]
        with connection.cursor() as cursor:
            cursor.execute(_upsert(len(rows)), [value for row in rows for value in row])
            if cursor.rowcount != len(rows):
                raise Overtaken


_KEY = ("feed", "station_id")
_NEW = ("version", "reported_at", "seen_at", "changed_at", "polled_at", "search", *State.__struct_fields__)
_COLUMNS = (*_KEY, "first_seen", *_NEW)


def _upsert(rows: int) -> str:
    """Return an INSERT that becomes a guarded UPDATE if the station is known. The ORM's own upsert has no guard."""
    table = Station._meta.db_table
    values = f"({', '.join(['%s'] * len(_COLUMNS))})"
    return (
        f"INSERT INTO {table} ({', '.join(_COLUMNS)}) VALUES {', '.join([values] * rows)}"
        f" ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _NEW)}"
        f" WHERE {table}.version = excluded.version - 1"
    )


def _row(change: Change, asked_at: Any, written_at: Any) -> tuple[Any, ...]:
    reported_at = _database_time(change.reported_at)
    search = folded(
        called=change.state.number or change.key.station_id, name=change.state.name, address=change.state.address
    )
    state = [getattr(change.state, name) for name in State.__struct_fields__]
    return (
        *change.key,
        written_at,
        change.version,
        reported_at,
        _database_time(change.seen_at),
        written_at,
        asked_at,
        search,
        *state,
    )


def _database_time(when: datetime | None) -> Any:
    return None if when is None else connection.ops.adapt_datetimefield_value(when)


def _run(poll: Poll) -> PollRun:
    failed = poll.failed
    return PollRun(
        feed=poll.feed,
        started=poll.asked_at,
        ms=round((time.perf_counter() - poll.began) * 1000),
        fetched=poll.fetched,
        changed=sum(Kind.APPEARED not in change.kinds for change in poll.changes),
        appeared=sum(Kind.APPEARED in change.kinds for change in poll.changes),
        gone=sum(Kind.GONE in change.kinds for change in poll.changes),
        jumps=sum(max(change.taken, change.returned) >= JUMP_BIKES_MIN for change in poll.changes),
        shifted=sum(change.shifted for change in poll.changes),
        bad=dict(poll.bad),
        outcome=PollRun.Outcome.FAILED if failed else PollRun.Outcome.OK,
        reason=failed.reason[:REASON_LENGTH_MAX] if failed else "",
        detail=failed.detail[:REASON_LENGTH_MAX] if failed else "",
        updated_at=poll.updated_at,
    )


def _finished_event(run: PollRun, *, interval_ms: int) -> PollFinished:
    return PollFinished(
        feed=run.feed,
        ok=run.outcome == PollRun.Outcome.OK,
        fetched=run.fetched,
        changed=run.changed,
        appeared=run.appeared,
        gone=run.gone,
        bad=run.bad,
        ms=run.ms,
        reason=run.reason,
        detail=run.detail,
        at=run.started,
        updated_at=run.updated_at,
        interval_ms=interval_ms,
    )


def write_history(event: StationChanged) -> None:
    """Write one row for this version of the station. If the row exists already, it stays as it is.

    An event without kinds reports no change, and gets no row: `publish_stations` published the present state. The
    function uses raw SQL, since no other table gets so many rows: the ORM takes ten times as long.
    """
    if not event.kinds:
        return
    values = [getattr(event, name) for name in _HISTORY_COPIED]
    told = [msgspec.json.encode(event.kinds).decode(), _database_time(event.polled_at)]
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY_INSERT, values + told)


_HISTORY_COPIED = (
    *_KEY,
    "contract",
    "version",
    "status",
    "bikes",
    "mechanical",
    "electrical",
    "stands",
    "capacity",
    "taken",
    "returned",
)
_HISTORY_INSERT = (
    f"INSERT INTO {StationHistory._meta.db_table} ({', '.join(_HISTORY_COPIED)}, kinds, at)"
    f" VALUES ({', '.join(['%s'] * (len(_HISTORY_COPIED) + 2))}) ON CONFLICT DO NOTHING"
)


def leave_remark(*, name: str, message: str, client: str, now: datetime) -> Remark:
    """Store a visitor's remark and publish it. `client` identifies the visitor for the rate limit; the remark omits it.

    Raises RemarksClosed, RemarkEmpty, RemarkTooLong, RemarksTooOften.
    """
    name, message = (_seen(text) for text in (name, message))
    if not remark_box.is_open():
        raise remark_box.RemarksClosed
    if not message:
        raise RemarkEmpty
    if len(name) > REMARK_NAME_LENGTH_MAX or len(message) > REMARK_LENGTH_MAX:
        raise RemarkTooLong
    limits.count_remark(client=client, now=now)
    with transaction.atomic():
        remark = Remark.objects.create(name=name, message=message, at=now)
        publish(RemarkLeft(remark_id=remark.id, name=name, message=message, at=now))
    return remark


def _seen(text: str) -> str:
    """Return the text without control characters and padding; "" if nothing of it is visible."""
    text = " ".join(_CONTROLS.sub("", text).split())
    return text if any(_is_seen(letter) for letter in text) else ""


def _is_seen(letter: str) -> bool:
    # Letters, numbers, punctuation and symbols; not marks alone, separators, formats, or unassigned characters.
    return unicodedata.category(letter)[0] in "LNPS" and letter not in _UNSEEN


def delete_remarks(remark_ids: Iterable[UUID]) -> int:
    """Delete these remarks, also from every page that shows them. Return their number."""
    with transaction.atomic():
        found = list(Remark.objects.select_for_update().filter(pk__in=list(remark_ids)).values_list("pk", flat=True))
        Remark.objects.filter(pk__in=found).delete()
        publish(*(RemarkDeleted(remark_id=remark_id) for remark_id in found))
    return len(found)


def forget_old() -> int:
    """Delete some of the oldest history and polls beyond the rows to keep. Return their number."""
    return _keep_newest(StationHistory, HISTORY_ROWS_KEPT) + _keep_newest(PollRun, POLL_ROWS_KEPT)


def _keep_newest(model: type[models.Model], rows_kept: int) -> int:
    """Delete the oldest rows beyond `rows_kept`, some at a time. Return their number.

    It compares ids, which grow with time, so that it need not count the rows.
    """
    rows = model._default_manager
    ids = rows.aggregate(oldest=models.Min("pk"), newest=models.Max("pk"))
    if ids["oldest"] is None:
        return 0
    last = min(ids["newest"] - rows_kept, ids["oldest"] + DELETED_AT_ONCE_MAX - 1)
    return rows.filter(pk__lte=last).delete()[0] if last >= ids["oldest"] else 0
