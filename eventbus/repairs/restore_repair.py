"""Find the differences that a restore left between log and database, and repair them.

After a restore of the database, the log has events that the database does not know. From the repair on, groups skip
them. New outbox rows get ids above all used ones, and so do unsent events that were published since the restore.
Handlers of the backup's own events run as ever, and other sites' events are handled. After a restore of the log, the
relay notices by itself, and appends what the outbox has (`recovery.topic_recovery`).
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import F, Max, Min

from eventbus import clock, registry
from eventbus.backends.base import Backend, TopicPartition
from eventbus.database import sql
from eventbus.database.leases import LEASE_SECONDS
from eventbus.database.storable_text import readable
from eventbus.events import Record
from eventbus.models import (
    WHO_CHARACTERS_MAX,
    Divergence,
    ForgottenSpan,
    OperatorAction,
    OutboxRow,
    Progress,
    ReplayRun,
    TopicLog,
)
from eventbus.progress import log_generations
from eventbus.progress.replay_runs import NOWHERE
from eventbus.recovery import divergence, own_outbox_rows
from eventbus.recovery.divergence import Tail
from eventbus.recovery.log_truncation import short
from eventbus.repairs.forgotten_stretches import Lying, Stretch, lying, stretches

EVENTS_MAX = 10_000  # forgotten events kept with their content, to be printed; all others are only counted
_TABLE = OutboxRow._meta.db_table
_RENUMBER = f"""
    UPDATE {_TABLE} SET id = moved.number FROM (
        SELECT id AS before, %b + row_number() OVER (ORDER BY id) AS number FROM {_TABLE}
        WHERE log_offset IS NULL AND id >= %b
    ) AS moved WHERE {_TABLE}.id = moved.before
"""


class ForgottenEvent(msgspec.Struct, frozen=True):
    """A forgotten event as the log holds it. The database has nothing of it any more."""

    topic: str
    partition: int
    offset: int
    type: str
    key: str
    event_id: UUID
    sequence: int
    time: str
    data: str


class Behind(msgspec.Struct, frozen=True):
    """A partition whose log ends before its earlier end (`had`)."""

    topic: str
    partition: int
    end: int
    had: int


class Found(msgspec.Struct, kw_only=True):
    """The differences that were found. `first` and `last`: the lowest and highest number of forgotten events, or 0.

    An event's number is the id of its outbox row. `waiting`: unsent events that get new numbers, since theirs were
    used. `sent`: events sent with a used number, which they keep. `unsigned`: by topic, possible forgotten events with
    unknown signatures; they are not repaired. `replays` and `projections`: commands for the operator.
    """

    stretches: list[Stretch]
    events: list[ForgottenEvent]
    behind: list[Behind]
    first: int = 0
    last: int = 0
    waiting: int = 0
    sent: int = 0
    replays: list[str] = []
    projections: list[str] = []
    unsigned: dict[str, int] = {}

    def add(self, event: ForgottenEvent) -> None:
        """Let `first` and `last` include the event's number. Keep the event unless EVENTS_MAX are kept."""
        self.first = min(self.first or event.sequence, event.sequence)
        self.last = max(self.last, event.sequence)
        if len(self.events) < EVENTS_MAX:
            self.events.append(event)

    def told(self) -> dict[str, Any]:
        """Return all findings by name."""
        return {**msgspec.structs.asdict(self), "forgotten": self.forgotten}

    @property
    def forgotten(self) -> int:
        """The number of forgotten events."""
        return sum(one.events for one in self.stretches)


def look(backend: Backend, beyond: int = 0) -> Found:
    """Return the differences between log and database, and write nothing. Raises LogUnavailable.

    `beyond`: the highest number that other systems have seen, such as readers of Debezium. New numbers are higher.
    """
    found = Found(stretches=[], events=[], behind=list(_behind(backend)), last=beyond)
    ends: dict[TopicPartition, int] = {}
    lie, again = list[Lying](), list[Lying]()
    for topic, tail in _unread(backend).items():
        for records in divergence.batches(backend.tail(topic, tail.begins, lambda: None)):
            ends |= {TopicPartition(topic, record.partition): record.offset + 1 for record in records}
            if strange := len(divergence.unsigned(records)):
                found.unsigned[topic] = found.unsigned.get(topic, 0) + strange
            again += map(lying, own_outbox_rows.unsent(records))
            for record in tail.news(records):
                lie.append(lying(record))
                found.add(_told(record))
    # A timer of the backup may be published again under its former number. Like all unsent rows it gets a new one.
    first = _used_from(found)
    lie += [one for one in again if 0 < first <= one.number]
    found.last = max([found.last, *(one.number for one in lie)])
    found.stretches = list(stretches(lie, ends))
    if found.first:
        used = OutboxRow.objects.filter(id__gte=first)
        found.waiting = used.filter(offset=None).count()
        found.sent = used.filter(id__lte=found.last).exclude(offset=None).count()
        found.replays, found.projections = list(_replays()), list(_projections())
    return found


def _used_from(found: Found) -> int:
    """Return the lowest number that may have been used before the restore; 0 if there is none.

    If no relay has ever begun, the database is new. Then any number may have been used, because the log may have
    deleted its first events.
    """
    return found.first if not found.first or TopicLog.objects.exists() else 1


def _told(record: Record) -> ForgottenEvent:
    return ForgottenEvent(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        type=record.type,
        key=record.key,
        event_id=record.event_id,
        sequence=own_outbox_rows.number_of(record),
        time=record.attributes().get("time", ""),
        data=readable(record.payload),
    )


def _unread(backend: Backend) -> dict[str, Tail]:
    """Return the tails of `divergence.tails`, but each from the slowest group's offset on.

    The site may have sent events since the restore, so that forgotten ones lie before them.
    """
    found = divergence.tails(backend) if backend.topics else {}
    rows = Progress.objects.filter(topic__in=_known(backend)).order_by()
    for topic, number, at in rows.values_list("topic", "partition").annotate(at=Min("offset")):
        partition = TopicPartition(topic, number)
        at = max(at, backend.earliest_offsets([partition])[partition])
        if at < backend.end(partition):
            begins = found.setdefault(topic, Tail({}, True)).begins
            begins[number] = min(at, begins.get(number, at))
    return found


def _behind(backend: Backend) -> Iterator[Behind]:
    for one, (end, had) in short(backend, _known(backend)).items():
        yield Behind(one.topic, one.partition, end, had)


def _known(backend: Backend) -> list[str]:
    """Return the topics whose log is still the one to which the stored offsets belong.

    A log that was made anew is filled again by the relay.
    """
    logs = dict(TopicLog.objects.values_list("topic", "generation")) if backend.topics else {}
    return sorted(topic for topic, generation in backend.generations(logs).items() if logs[topic] == generation)


def _replays() -> Iterator[str]:
    """Yield the commands that resume the replay runs that were unfinished when the backup was made."""
    never = (ReplayRun.State.DONE, ReplayRun.State.FROZEN)
    for run in ReplayRun.objects.exclude(state__in=never).exclude(offsets=NOWHERE).order_by("id"):
        yield f"manage.py eventbus replay {run.group} --resume {run.pk}"


def _projections() -> Iterator[str]:
    """Yield the commands that rebuild projections from the events in the outbox."""
    for name, group in sorted(registry.groups.items()):
        for topic in group.topics:
            if all(one.replayable for one in group.all() if one.event_type.topic == topic):
                yield f"manage.py eventbus replay {name} --topic {topic} --all"


def apply(backend: Backend, who: str, beyond: int = 0, wait: Callable[[float], object] = time.sleep) -> Found:
    """Repair the differences that `look` finds, and return them. `who`: the operator's name. Raises LogUnavailable.

    Nothing is appended meanwhile: a recorded divergence stops the relays first, and `wait` lets them end their work.
    """
    found = look(backend, beyond)
    if found.forgotten:
        divergence.stand_still(found.events[0])
        wait(LEASE_SECONDS)  # also needed if another process has just recorded the divergence
        found = look(backend, beyond)
    if not (found.stretches or found.behind or beyond or divergence.stands()):
        return found
    with transaction.atomic():
        log_generations.lock(TopicLog.objects.values_list("topic", flat=True))  # in the relay's order
        list(Progress.objects.select_for_update().order_by("id"))
        _pass_over(found.stretches, found.last)
        found.waiting = _number(_used_from(found), found.last)
        _fill_again({one.topic for one in found.behind})
        _stop_replays()
        Divergence.objects.all().delete()
        Progress.objects.update(epoch=F("epoch") + 1)  # makes running workers begin again at the stored offsets
        OperatorAction.objects.create(
            at=clock.now(),
            who=who[:WHO_CHARACTERS_MAX],
            action=OperatorAction.Action.REPAIR,
            error=f"{found.forgotten} forgotten events are passed over, numbers {found.first} to {found.last}; "
            f"{found.waiting} that waited have new ones; {len(found.behind)} partitions are filled again",
        )
    return found


def _stop_replays() -> None:
    """Stop the runs that were running when the backup was made: their operators decide again."""
    why = "The database was restored: look whether this run is still wanted, then let it go on"
    running = ReplayRun.objects.filter(state=ReplayRun.State.RUNNING)
    running.update(state=ReplayRun.State.STOPPED, ended_at=clock.now(), error=why)


def _pass_over(stretches: Iterable[Stretch], last: int) -> None:
    ForgottenSpan.objects.bulk_create(
        ForgottenSpan(
            topic=one.topic,
            partition=one.partition,
            begin=one.begin,
            end=one.end,
            events=one.events,
            last=last,
            noted_at=clock.now(),
        )
        for one in stretches
    )


def _number(first: int, last: int) -> int:
    """Let new outbox rows get ids above `last`, and give such ids to unsent rows from id `first` on. Return how many.

    These events keep their order, before all that is published later. A table lock lets nobody publish meanwhile. It
    waits for transactions that have drawn an id and are not committed.
    """
    if not last:
        return 0
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {_TABLE} IN SHARE ROW EXCLUSIVE MODE")
    base = max(last, OutboxRow.objects.aggregate(last=Max("id"))["last"] or 0)
    moved = sql.execute(connection, _RENUMBER, [base, first]) if first else 0
    TopicLog.objects.filter(refill_to__gte=first or base, refill_to__gt=0).update(refill_to=base + moved)
    _draw_from(base + moved + 1)
    return moved


def _draw_from(number: int) -> None:
    """Set the id that the next outbox row gets."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{_TABLE}', 'id'), %s, false)", [number])
            return
        cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [number - 1, _TABLE])
        if not cursor.rowcount:
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [_TABLE, number - 1])


def _fill_again(topics: set[str]) -> None:
    """Have the relay fill these logs again at its next check, even if it has noticed nothing."""
    TopicLog.objects.filter(topic__in=topics).update(generation=log_generations.UNKNOWN, noted_at=clock.now())
