"""Events that a group has passed and that no row tells of: which of them it ignored, and which are lost for it.

So many are lost as were not counted as ignored. Nobody can say which: all of a type that the group handles today are
taken for lost, for a release may have ignored a type that it did not know, but an event that is due must not be missed.
"""

from collections import Counter
from collections.abc import Collection

from django.db.models import Exists, OuterRef, Q, QuerySet

from eventbus import registry
from eventbus.audit.tolerances import ignored_once
from eventbus.backends.base import partition_of
from eventbus.models import DeadLetter, InboxRow, OutboxRow, ParkedEvent, Progress
from eventbus.progress.inbox import LIVE

ROWS_AT_ONCE = 500  # event ids in one question


def of(progress: Progress) -> QuerySet[OutboxRow]:
    """All that the group has passed there since it began, whatever became of it."""
    place = {"topic": progress.topic, "partition": progress.partition}
    return OutboxRow.objects.filter(**place, offset__gte=progress.start, offset__lt=progress.offset)


def nowhere(group: str, events: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
    """Those of these events that no row tells of for a group: not handled, not passed over, not parked, not dead."""
    mine = {"group": group, "event_id": OuterRef("event_id")}
    for table in (InboxRow.objects.filter(replay=LIVE), ParkedEvent.objects.all(), DeadLetter.objects.all()):
        events = events.filter(~Exists(table.filter(**mine)))
    return events


def ignored(progress: Progress, among: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
    """Those of these events, which the group has passed, that it ignored, or that were told before it began."""
    found = nowhere(progress.group, among)
    if not count_lost(progress):
        return found
    may_be_lost = Q(offset__gte=progress.start)
    if progress.group in registry.groups:  # nobody knows what one that is gone would handle
        may_be_lost &= Q(type__in=_types(progress))
    return found.exclude(may_be_lost)


def lost(progress: Progress) -> QuerySet[OutboxRow]:
    """All that is lost for the group there, of types that it handles today."""
    if not count_lost(progress):
        return OutboxRow.objects.none()
    return nowhere(progress.group, of(progress)).filter(type__in=_types(progress))


def noted_unsent(topic: str, groups: Collection[str], partitions: int) -> Counter[tuple[str, int]]:
    """How many that each group has ignored wait to be appended again, by group and partition.

    They were republished, and the log was lost before they came to it: no row says where they lay.
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
    """How many are lost: more lie nowhere than were ignored."""
    passed = of(progress)
    noted = InboxRow.objects.filter(group=progress.group, replay=LIVE, handled_at=None).values("event_id")
    count = nowhere(progress.group, passed).count()
    counted = ignored_once(
        progress, passed=passed.count(), nowhere=count, noted=passed.filter(event_id__in=noted).count()
    )
    return max(0, count - counted)


def loses(progress: Progress, row_ids: Collection[int]) -> bool:
    """Whether one of these outbox rows may be lost for the group: to take it away would hide that for ever.

    Only what the group would have handled is looked at closely: mostly there is nothing of that.
    """
    rows = OutboxRow.objects.filter(id__in=row_ids, offset__gte=progress.start, type__in=_types(progress))
    return nowhere(progress.group, rows).exists() and count_lost(progress) > 0


def _types(progress: Progress) -> list[str]:
    group = registry.groups.get(progress.group)
    return list(group.handlers) if group else []
