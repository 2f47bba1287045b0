"""Delete old events that every group has passed. Their totals stay, so that the delivery audit always balances.

An event stays until every group of its topic in the database has passed it. It stays while it is parked or dead for one
of them, and while a replay has still to reach it. It stays for a while after its append, because a watch in another
process reads the same rows. The newest event of each partition always stays, because a restarted process finds the
log's end there. If the log is not the outbox, an event stays as long as the log has it. Without its inbox row it would
be handled again. A rejected record stays until an operator decides about it. A withdrawn one is deleted after the same
time as other events. Operators' actions are kept for ever.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import F, Max, Q, QuerySet

from eventbus import backends, clock, failpoints, registry
from eventbus.audit import passed_events
from eventbus.backends.base import TopicPartition
from eventbus.database.contention import ContentionRetry
from eventbus.events import ours
from eventbus.models import ConsumerGroup, DeadLetter, Effect, InboxRow, OutboxRow, ParkedEvent, Progress, ReplayRun
from eventbus.progress import log_generations
from eventbus.progress.inbox import LIVE
from eventbus.publishing import rejected_records
from eventbus.repairs import dead_letters, replay

BATCH_ROWS = 200  # events in one transaction: on SQLite every other writer waits for it
PAUSE_SECONDS = 0.02  # between transactions, so that others can write, in other processes too
_NEXT_PARTITION = """
    SELECT topic, partition FROM eventbus_outbox WHERE log_offset IS NOT NULL AND (topic, partition) > (%s, %s)
    ORDER BY topic, partition LIMIT 1
"""


class Pruned(msgspec.Struct):
    """The number of deleted rows, by table. `unbalanced`: a sentence for each partition whose counts do not balance."""

    events: int = 0
    inbox: int = 0
    dead_letters: int = 0
    effects: int = 0
    replays: int = 0
    unbalanced: list[str] = []

    def add(self, other: "Pruned") -> None:
        """Add the counts of another batch."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class HeldBack(msgspec.Struct, frozen=True):
    """A group or replay that keeps `rows` events from being pruned, and probably will until an operator acts."""

    who: str
    topic: str
    rows: int
    remedy: str

    def __str__(self) -> str:
        return f"{self.who} holds back {self.rows} events of {self.topic}. {self.remedy}"


def held_back() -> list[HeldBack]:
    """Return the groups and replays that will never pass some rows unless an operator acts."""
    found: dict[tuple[str, str, str], int] = {}
    for who, partition, offset, remedy in [*_groups_gone(), *_replays_begun()]:
        ahead = OutboxRow.objects.filter(topic=partition.topic, partition=partition.partition, offset__gte=offset)
        found[who, partition.topic, remedy] = found.get((who, partition.topic, remedy), 0) + ahead.count()
    return [HeldBack(who, topic, rows, remedy) for (who, topic, remedy), rows in found.items() if rows]


def _groups_gone() -> Iterator[tuple[str, TopicPartition, int, str]]:
    for row in Progress.objects.order_by("group", "topic", "partition"):
        group = registry.groups.get(row.group)
        if group is None or row.topic not in group.topics:
            there = "" if group is None else " there"
            who = f"Group {row.group}, which the code does not name{there},"
            remedy = f"If it is gone for good: manage.py eventbus close {row.group} --topic {row.topic}"
            yield who, TopicPartition(row.topic, row.partition), row.offset, remedy


def _replays_begun() -> Iterator[tuple[str, TopicPartition, int, str]]:
    for run in ReplayRun.objects.filter(state=ReplayRun.State.RUNNING).order_by("id"):
        remedy = f"If nobody runs it: manage.py eventbus replay {run.group} --resume {run.pk}"
        for partition, (offset, end) in replay.spans_of(run).items():
            if offset < end:
                yield f"Replay {run.pk} of group {run.group}", partition, offset, remedy


class Unbalanced(Exception):
    """The rows of a partition differ from the counters. Nothing is pruned there, so that the cause can be found."""


class _Event(msgspec.Struct, frozen=True):
    id: int
    event_id: UUID
    offset: int
    appended_at: datetime


class Pruning:
    """One pruning run, of events appended longer ago than `keep`. A dry run only counts.

    `fence()` is called before or in each transaction, and raises if this process may no longer prune. `told(counts)` is
    called after each batch. `stop` ends the run after the current batch. Batches that are committed stay committed.
    """

    def __init__(
        self,
        keep: timedelta,
        *,
        dry_run: bool = False,
        fence: Callable[[], None] = lambda: None,
        stop: threading.Event | None = None,
        told: Callable[[Pruned], None] = lambda pruned: None,
    ) -> None:
        self.pruned = Pruned()
        self._before = clock.now() - keep
        self._shown_from: dict[TopicPartition, int] = {}
        self._dry_run, self._fence, self._told = dry_run, fence, told
        self._stop = stop or threading.Event()
        self._retry_on_contention = ContentionRetry(self._stop)

    def go(self) -> Pruned:
        """Prune until all is done or `stop` is set. Raises DatabaseError, LogUnavailable, and what `fence` raises."""
        partitions = list(_partitions())
        # Asked before any transaction: brokers may be slow.
        self._shown_from = backends.current().earliest_offsets(partitions)
        for partition in partitions:
            try:
                self._in_batches(self._events, partition)
            except Unbalanced as error:
                self.pruned.unbalanced.append(str(error))
        for run in self._ended():
            self._in_batches(self._replay, run)
        self._in_batches(self._foreign_letters, self._discarded_elsewhere())
        self._in_batches(
            self._withdrawn, OutboxRow.objects.filter(rejected_records.WITHDRAWN, withdrawn_at__lt=self._before)
        )
        return self.pruned

    def _in_batches(self, batch: Callable[[Any, int], tuple[Pruned, int]], of: Any) -> None:
        """Call `batch` in one transaction after another. It returns where its next batch begins, or 0 at the end."""
        begin = -1
        while begin and not self._stop.is_set():
            pruned, begin = self._retry_on_contention(batch, of, max(begin, 0))
            self.pruned.add(pruned)
            self._told(self.pruned)
            self._stop.wait(PAUSE_SECONDS)

    def _events(self, partition: TopicPartition, begin: int) -> tuple[Pruned, int]:
        self._fence()  # not in the transaction, which may wait for a handler: the relay would wait for both
        with failpoints.atomic("prune"):
            readers = list(_at(partition).select_for_update().order_by("id"))
            # After the wait for slow handlers, so that no relay waits for them too. No new group may begin here now.
            log_generations.lock([partition.topic], wait=False)
            if _at(partition).count() != len(readers):  # one has begun during the wait: the next run prunes here
                return Pruned(), 0
            needed = _needed_from(partition, readers)
            old = self._old(partition, begin, min(needed, self._shown_from.get(partition, needed)))
            everybody = _everybody(readers)
            gone = _settled(old, everybody)
            pruned = self._take(readers, everybody, gone) if gone else Pruned()
        return pruned, old[-1].offset + 1 if len(old) == BATCH_ROWS else 0

    def _old(self, partition: TopicPartition, begin: int, end: int) -> list[_Event]:
        """Return the next events that are older than `keep`. They are found by offset, for which there is an index."""
        rows = OutboxRow.objects.filter(topic=partition.topic, partition=partition.partition)
        rows = rows.filter(offset__gte=begin, offset__lt=end).order_by("offset")
        found = [_Event(*row) for row in rows.values_list(*_Event.__struct_fields__)[:BATCH_ROWS]]
        return list(takewhile(lambda event: event.appended_at < self._before, found))

    def _take(self, readers: Sequence[Progress], everybody: Collection[str], gone: Sequence[_Event]) -> Pruned:
        totals = [_totals(reader, gone) for reader in readers]
        ids = [event.event_id for event in gone]
        pruned = Pruned(
            events=self._remove(OutboxRow.objects.filter(id__in=[event.id for event in gone])),
            inbox=self._remove(InboxRow.objects.filter(group__in=everybody, event_id__in=ids)),
            dead_letters=self._remove(DeadLetter.objects.filter(group__in=everybody, event_id__in=ids)),
            effects=self._remove(Effect.objects.filter(group__in=everybody, event_id__in=ids)),
        )
        failpoints.hit("pruned")
        if not self._dry_run:
            for reader, total in zip(readers, totals, strict=True):
                Progress.objects.filter(id=reader.pk).update(**{name: F(name) + more for name, more in total.items()})
        return pruned

    def _ended(self) -> QuerySet[ReplayRun]:
        return ReplayRun.objects.filter(ended_at__lt=self._before).exclude(state=ReplayRun.State.RUNNING)

    def _replay(self, run: ReplayRun, begin: int) -> tuple[Pruned, int]:
        """Delete the inbox rows of a replay that has ended, and with the last batch the run itself."""
        with failpoints.atomic("prune.replay"):
            self._fence()
            if self._ended().select_for_update().filter(id=run.pk).first() is None:  # it was resumed meanwhile
                return Pruned(), 0
            rows = InboxRow.objects.filter(group=run.group, replay=run.pk, id__gte=begin)
            ids = list(rows.order_by("id").values_list("id", flat=True)[:BATCH_ROWS])
            inbox = self._remove(InboxRow.objects.filter(id__in=ids))
            if len(ids) == BATCH_ROWS:
                return Pruned(inbox=inbox), ids[-1] + 1
            return Pruned(inbox=inbox, replays=self._remove(ReplayRun.objects.filter(id=run.pk))), 0

    def _withdrawn(self, rows: QuerySet[OutboxRow], begin: int) -> tuple[Pruned, int]:
        """Delete withdrawn events. They were never appended, so no group's counters include them."""
        with failpoints.atomic("prune.withdrawn"):
            self._fence()
            ids = list(rows.filter(id__gte=begin).order_by("id").values_list("id", flat=True)[:BATCH_ROWS])
            pruned = Pruned(events=self._remove(OutboxRow.objects.filter(id__in=ids)))
        return pruned, ids[-1] + 1 if len(ids) == BATCH_ROWS else 0

    def _discarded_elsewhere(self) -> QuerySet[DeadLetter]:
        """Return the discarded dead letters of other programs' records, which have no outbox row."""
        letters = DeadLetter.objects.filter(state=DeadLetter.State.DISCARDED, discarded_at__lt=self._before)
        letters = letters.exclude(request=DeadLetter.Request.RESTORE)  # a worker is about to undo the discard
        return letters.filter(discarded_at__lt=dead_letters.undoable_since()).exclude(headers__contains=ours())

    def _foreign_letters(self, letters: QuerySet[DeadLetter], begin: int) -> tuple[Pruned, int]:
        with transaction.atomic():
            self._fence()
            ids = list(letters.filter(id__gte=begin).order_by("id").values_list("id", flat=True)[:BATCH_ROWS])
            pruned = Pruned(dead_letters=self._remove(DeadLetter.objects.filter(id__in=ids)))
        return pruned, ids[-1] + 1 if len(ids) == BATCH_ROWS else 0

    def _remove(self, rows: QuerySet[Any]) -> int:
        if self._dry_run:
            return int(rows.count())
        removed: int = rows.delete()[0]
        return removed


def _partitions() -> Iterator[TopicPartition]:
    """Yield each partition of the outbox. Each costs one step in the index, however many events it holds."""
    partition = ("", -1)
    while partition:
        with connection.cursor() as cursor:
            cursor.execute(_NEXT_PARTITION, partition)
            partition = cursor.fetchone()
        if partition:
            yield TopicPartition(*partition)


def _at(partition: TopicPartition) -> QuerySet[Progress]:
    return Progress.objects.filter(topic=partition.topic, partition=partition.partition)


def _everybody(readers: Collection[Progress]) -> set[str]:
    """Return the names of all groups. The queries name them because the indexes begin with the group."""
    return {*ConsumerGroup.objects.values_list("name", flat=True), *(reader.group for reader in readers)}


def _needed_from(partition: TopicPartition, readers: Collection[Progress]) -> int:
    """Return the first offset that a group or replay may still need."""
    appended = OutboxRow.objects.filter(topic=partition.topic, partition=partition.partition, offset__isnull=False)
    newest = appended.aggregate(newest=Max("offset"))["newest"]
    here = {reader.group for reader in readers}
    if newest is None or Progress.objects.filter(topic=partition.topic).exclude(group__in=here).exists():
        return 0  # a group of the topic has no progress in this partition yet: it will begin at its start
    replayed = (offset for _, at, offset, _ in _replays_begun() if at == partition)
    return min([int(newest), *(reader.offset for reader in readers), *replayed])


def _settled(old: Sequence[_Event], everybody: Collection[str]) -> list[_Event]:
    """Return those of these events that no group has parked or dead."""
    aside = {"group__in": everybody, "event_id__in": [event.event_id for event in old]}
    held = set(ParkedEvent.objects.filter(**aside).values_list("event_id", flat=True))
    kept = Q(state=DeadLetter.State.OPEN) | Q(discarded_at__gte=dead_letters.undoable_since())
    kept |= Q(request=DeadLetter.Request.RESTORE)  # requested in time, and not yet carried out
    held |= set(DeadLetter.objects.filter(kept, **aside).values_list("event_id", flat=True))
    return [event for event in old if event.event_id not in held]


def _totals(reader: Progress, gone: Sequence[_Event]) -> dict[str, int]:
    """Count by column of progress the events that the group handled, discarded and ignored. Raises Unbalanced."""
    ids = [event.event_id for event in gone if event.offset >= reader.start]
    inbox = InboxRow.objects.filter(group=reader.group, event_id__in=ids, replay=LIVE)
    handled = inbox.filter(handled_at__isnull=False).count()
    discarded = DeadLetter.objects.filter(group=reader.group, event_id__in=ids).count()
    ignored = len(ids) - handled - discarded
    lost = passed_events.loses(reader, [event.id for event in gone])
    if lost or not 0 <= ignored <= reader.ignored - reader.pruned_ignored:
        raise Unbalanced(
            f"Nothing is pruned of {reader.topic}/{reader.partition}: the delivery audit of group {reader.group} "
            "does not balance there. See manage.py eventbus status."
        )
    return {"pruned_handled": handled, "pruned_discarded": discarded, "pruned_ignored": ignored}
