"""Let a paused group skip events that wait in the log, so that its handlers never see them.

Each skipped event becomes a discarded dead letter, in the transaction that moves the group's offset. So the delivery
audit counts it as discarded, and an undo brings it back for `dead_letters.UNDO_DAYS`. Workers are fenced by the lock of
the progress: each of their transactions locks it too, and drops records before the group's offset.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from eventbus import backends, clock
from eventbus.backends import outbox_offsets
from eventbus.backends.base import TopicPartition
from eventbus.consuming import ignored_types
from eventbus.errors import BusError
from eventbus.events import count_ours, ours
from eventbus.failures import parking
from eventbus.failures.dead_letter_requests import SKIPPED
from eventbus.models import (
    WHO_CHARACTERS_MAX,
    DeadLetter,
    Effect,
    InboxRow,
    OperatorAction,
    OutboxRow,
    ParkedEvent,
    Progress,
)
from eventbus.progress import groups
from eventbus.progress.inbox import LIVE
from eventbus.registry import Group

SKIPPED_MAX = parking.PARKED_KEYS_MAX  # events at once: an undo parks them, each perhaps under a key of its own
ROWS_AT_ONCE = 100  # copied with one statement: a payload may have a megabyte


class SkipRefused(BusError):
    """Nothing was skipped; the text says why."""


class Stretch(msgspec.Struct, frozen=True):
    """Offsets of a partition that a group skips, from `begin` to before `end`.

    `events`: those that a handler would get. `others`: those without a handler in the group, or dealt with already.
    """

    topic: str
    partition: int
    begin: int
    end: int
    events: int
    others: int

    @property
    def topic_partition(self) -> TopicPartition:
        """Its topic and partition."""
        return TopicPartition(self.topic, self.partition)

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} from {self.begin} to {self.end}"


@dataclass(frozen=True, kw_only=True)
class SkipFilter:
    """The waiting events to skip: those before `offset`, or those before the first one published at `time` or later.

    Both end at the partition's last known event. `partitions`: None for all that the group reads.
    """

    group: Group
    partitions: Collection[TopicPartition] | None = None
    offset: int | None = None
    time: datetime | None = None

    def stretches(self) -> list[Stretch]:
        """Return the stretch of each partition that has something to pass. Raises SkipRefused."""
        found = []
        for row in _progress(self.group).order_by("topic", "partition"):
            where = TopicPartition(row.topic, row.partition)
            if self.partitions is None or where in self.partitions:
                end = self._end(row)
                if end > row.offset:
                    found.append(stretch(self.group, row, end))
        refuse_too_many(self.group, found)
        return found

    def _end(self, progress: Progress) -> int:
        waiting = _rows(progress, progress.offset, outbox_offsets.OFFSET_MAX)
        last = waiting.aggregate(last=Max("offset"))["last"]
        known = progress.offset if last is None else int(last) + 1
        if self.offset is not None:
            return min(self.offset, known)
        later = waiting.filter(created_at__gte=self.time).aggregate(first=Min("offset"))["first"]
        return known if later is None else int(later)


def stretch(group: Group, progress: Progress, end: int) -> Stretch:
    """Count what a group passes if its offset moves to `end`. Raises SkipRefused at records that the outbox lacks."""
    end = max(end, progress.offset)
    rows = _rows(progress, progress.offset, end)
    _refuse_holes(progress, end, rows)
    events = _waiting(group, rows).count()
    return Stretch(progress.topic, progress.partition, progress.offset, end, events, rows.count() - events)


def refuse_too_many(group: Group, found: Iterable[Stretch]) -> None:
    """Raise SkipRefused if these have more than SKIPPED_MAX events, with an offset that is not too far."""
    room = SKIPPED_MAX
    for one in found:
        if one.events > room:
            rows = OutboxRow.objects.filter(topic=one.topic, partition=one.partition)
            waiting = _waiting(group, rows.filter(offset__gte=one.begin, offset__lt=one.end)).order_by("offset")
            first_left = waiting.values_list("offset", flat=True)[room]
            raise SkipRefused(
                _(
                    "These are more than %(most)d events. Do it in parts: in %(partition)s only up to offset "
                    "%(offset)d, and there once more afterwards."
                )
                % {"most": SKIPPED_MAX, "partition": f"{one.topic}/{one.partition}", "offset": first_left}
            )
        room -= one.events


def lock(group: Group, partitions: Collection[TopicPartition]) -> list[Progress]:
    """Lock the group's progress in these partitions for the rest of the transaction, and return it in order.

    The order is that of row ids, as others lock several.
    """
    rows = _progress(group).filter(groups.among(partitions)).order_by("id").values_list("topic", "partition")
    return [groups.lock_progress(group, TopicPartition(topic, number)) for topic, number in rows]


def skip(group: Group, progress: Progress, counted: Stretch, decision: int, who: str) -> None:
    """Discard the events of a stretch and move the group's offset behind it, under the lock of `progress`.

    Raises SkipRefused if an outside effect of one may be under way.
    """
    rows = _rows(progress, counted.begin, counted.end)
    waiting = dict(_waiting(group, rows).order_by("offset").values_list("id", "event_id"))
    _refuse_effects(group, list(waiting.values()))
    ignored = _ignored(group, rows)
    for wire_type, events in ignored.items():
        ignored_types.more(progress, wire_type, events)
    progress.ignored += sum(ignored.values())
    ids = list(waiting)
    for at in range(0, len(ids), ROWS_AT_ONCE):
        progress.discarded += _discard(progress, ids[at : at + ROWS_AT_ONCE], decision, who)
    if progress.running_event in waiting.values():
        progress.running_event, progress.crashes = None, 0
    progress.offset = counted.end
    groups.save(progress)


def _discard(progress: Progress, row_ids: Sequence[int], decision: int, who: str) -> int:
    """Write the dead letters of these events, and the operator's action on each. Return how many are this site's."""
    now = clock.now()
    rows = OutboxRow.objects.filter(id__in=row_ids).order_by("offset")
    records = [outbox_offsets.record_of(row) for row in rows]
    DeadLetter.objects.bulk_create(
        DeadLetter(
            group=progress.group,
            **parking.columns_of(record),
            parks=False,
            behind=True,
            attempts=0,
            error_class=SKIPPED,
            died_at=now,
            discarded_at=now,
            state=DeadLetter.State.DISCARDED,
            decision=decision,
        )
        for record in records
    )
    about = {"at": now, "who": who[:WHO_CHARACTERS_MAX], "action": OperatorAction.Action.SKIP, "decision": decision}
    OperatorAction.objects.bulk_create(
        OperatorAction(**about, group=progress.group, event_id=one.event_id, type=one.type, key=one.key)
        for one in records
    )
    return count_ours(records)


def _progress(group: Group) -> QuerySet[Progress]:
    return Progress.objects.filter(group=group.name, topic__in=group.topics)


def _rows(progress: Progress, begin: int, end: int) -> QuerySet[OutboxRow]:
    rows = OutboxRow.objects.filter(topic=progress.topic, partition=progress.partition)
    return rows.filter(offset__gte=begin, offset__lt=end)


def _waiting(group: Group, rows: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
    """Return those of these rows for which a handler would be called, also if their key is parked by then."""
    return rows.filter(_unknown(group), type__in=list(group.handlers))


def _ignored(group: Group, rows: QuerySet[OutboxRow]) -> dict[str, int]:
    """Count by type those of these rows that the group ignores when it passes them."""
    found = rows.filter(_unknown(group), headers__contains=ours()).exclude(type__in=list(group.handlers))
    return dict(found.order_by().values_list("type").annotate(count=Count("id")))


def _unknown(group: Group) -> Q:
    """Return the filter for events that the group has neither handled nor ignored, parked or dead."""
    same = {"group": group.name, "event_id": OuterRef("event_id")}
    tables = (InboxRow.objects.filter(replay=LIVE), ParkedEvent.objects.all(), DeadLetter.objects.all())
    return Q(*(~Exists(table.filter(**same)) for table in tables))


def _refuse_holes(progress: Progress, end: int, rows: QuerySet[OutboxRow]) -> None:
    """Raise SkipRefused if the log may have records here that the outbox lacks: they could not be brought back.

    They are other programs' events, repeats, or events whose offset the relay has not stored yet. In memory the outbox
    is the log.
    """
    if backends.current().in_process or rows.count() == end - progress.offset:
        return
    expected = progress.offset
    for offset in rows.order_by("offset").values_list("offset", flat=True).iterator():
        if offset != expected:
            break
        expected += 1
    raise SkipRefused(
        _(
            "%(partition)s has a record at offset %(offset)d that is not in the outbox, so that a skip could not be "
            "undone. Skip up to that offset at most, and let the group handle the record."
        )
        % {"partition": f"{progress.topic}/{progress.partition}", "offset": expected}
    )


def _refuse_effects(group: Group, event_ids: Sequence[UUID]) -> None:
    """Raise SkipRefused if the outside effect of one of these events was claimed and has no answer yet."""
    sending = Effect.objects.filter(group=group.name, state=Effect.State.SENDING)
    under_way = set(sending.values_list("event_id", flat=True)) & set(event_ids)
    if under_way:
        raise SkipRefused(
            _(
                "The effect of event %(event)s may have happened already. Resume the group: it finds out, or makes the "
                "event a dead letter."
            )
            % {"event": min(under_way)}
        )
