"""Find events that a group has passed and has no row of, and tell ignored events from lost ones.

A group that handled an event has a row of it in the inbox. A failed event has one in the parked events or the dead
letters. An event with a row in none of these three tables, but still in the outbox, was ignored or is lost.
`Progress.ignored` counts the ignored ones, and the rest are lost. The count does not say which events these are. If any
are lost, all those count as lost whose type the group handles today. An older release that did not know the type may
have ignored some of them. They are included, so that no lost event is missed.
"""

from collections import Counter
from collections.abc import Collection

from django.db.models import Exists, OuterRef, Q, QuerySet

from eventbus import registry
from eventbus.audit.tolerances import ignored_once
from eventbus.backends.base import partition_of
from eventbus.models import DeadLetter, InboxRow, OutboxRow, ParkedEvent, Progress
from eventbus.progress.inbox import LIVE

ROWS_AT_ONCE = 500  # event ids in one query


def of(progress: Progress) -> QuerySet[OutboxRow]:
    """Return the outbox rows that the group has passed in a partition since it began, whatever became of the events."""
    partition = {"topic": progress.topic, "partition": progress.partition}
    return OutboxRow.objects.filter(**partition, offset__gte=progress.start, offset__lt=progress.offset)


def nowhere(group: str, events: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
    """Return those of these outbox rows whose event has no row of the group in inbox, parked events or dead letters."""
    mine = {"group": group, "event_id": OuterRef("event_id")}
    for table in (InboxRow.objects.filter(replay=LIVE), ParkedEvent.objects.all(), DeadLetter.objects.all()):
        events = events.filter(~Exists(table.filter(**mine)))
    return events


def ignored(progress: Progress, among: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
    """Return those of these passed outbox rows that the group ignored, or that were published before it began."""
    found = nowhere(progress.group, among)
    if not count_lost(progress):
        return found
    may_be_lost = Q(offset__gte=progress.start)
    if progress.group in registry.groups:  # the types of a group that is gone are not known
        may_be_lost &= Q(type__in=_types(progress))
    return found.exclude(may_be_lost)


def lost(progress: Progress) -> QuerySet[OutboxRow]:
    """Return the outbox rows that are lost for the group in a partition, of types that it handles today."""
    if not count_lost(progress):
        return OutboxRow.objects.none()
    return nowhere(progress.group, of(progress)).filter(type__in=_types(progress))


def noted_unsent(topic: str, groups: Collection[str], partitions: int) -> Counter[tuple[str, int]]:
    """Count, by group and partition, the unsent events of the topic that the group's inbox holds as ignored.

    These events wait to be appended again. Meanwhile their rows have no partition, so it is computed from the key and
    the number of `partitions`.
    """
    found: Counter[tuple[str, int]] = Counter()
    unsent = OutboxRow.objects.filter(topic=topic, offset=None).order_by("id").values_list("id", "event_id", "key")
    rows = unsent[:ROWS_AT_ONCE]
    while batch := list(rows):
        keys = {event_id: key for _, event_id, key in batch}
        noted = InboxRow.objects.filter(group__in=groups, replay=LIVE, handled_at=None, event_id__in=keys)
        found.update(
            (group, partition_of(keys[event_id], partitions))
            for group, event_id in noted.values_list("group", "event_id")
        )
        rows = unsent.filter(id__gt=batch[-1][0])[:ROWS_AT_ONCE]
    return found


def count_lost(progress: Progress) -> int:
    """Count the events lost for the group in a partition: the passed ones without a row, less the ignored ones."""
    passed = of(progress)
    noted = InboxRow.objects.filter(group=progress.group, replay=LIVE, handled_at=None).values("event_id")
    count = nowhere(progress.group, passed).count()
    counted = ignored_once(
        progress, passed=passed.count(), nowhere=count, noted=passed.filter(event_id__in=noted).count()
    )
    return max(0, count - counted)


def loses(progress: Progress, row_ids: Collection[int]) -> bool:
    """Return True if an event of these outbox rows may be lost for the group.

    If its row were pruned, nothing would show it. `progress`: the group's row of the events' partition. The exact count
    is slow. It runs only if an event of a type that the group handles has no row in the other tables (`nowhere`), which
    is rare.
    """
    rows = OutboxRow.objects.filter(id__in=row_ids, offset__gte=progress.start, type__in=_types(progress))
    return nowhere(progress.group, rows).exists() and count_lost(progress) > 0


def _types(progress: Progress) -> list[str]:
    group = registry.groups.get(progress.group)
    return list(group.handlers) if group else []
