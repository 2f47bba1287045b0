"""Events that a group has passed and that no row tells of: which of them it ignored, and which are lost for it.

What the log did not show (`eventbus.gaps`) is lost. Of the others so many are lost as were not counted as ignored. Then
nobody can say which: all of a type that the group handles today are taken for lost, for a release may have ignored a
type that it did not know, but an event that is due must not be missed.
"""

from django.db.models import Q, QuerySet

from eventbus import gaps, registry
from eventbus.early import ignored_once
from eventbus.inbox import LIVE
from eventbus.models import InboxRow, OutboxRow, Progress


def of(progress: Progress) -> QuerySet[OutboxRow]:
    """All that the group has passed there since it began, whatever became of it."""
    place = {"topic": progress.topic, "partition": progress.partition}
    return OutboxRow.objects.filter(**place, position__gte=progress.start, position__lt=progress.position)


def ignored(progress: Progress, among: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
    """Those of these events, which the group has passed, that it ignored, or that were told before it began."""
    found = gaps.seen(progress.group, gaps.nowhere(progress.group, among))
    if not count_lost(progress):
        return found
    may_be_lost = Q(position__gte=progress.start)
    if progress.group in registry.groups:  # nobody knows what one that is gone would handle
        may_be_lost &= Q(type__in=_types(progress))
    return found.exclude(may_be_lost)


def lost(progress: Progress) -> QuerySet[OutboxRow]:
    """All that is lost for the group there, of types that it handles today."""
    if not count_lost(progress):
        return lost_in_gaps(progress)
    return gaps.nowhere(progress.group, of(progress)).filter(type__in=_types(progress))


def lost_in_gaps(progress: Progress) -> QuerySet[OutboxRow]:
    """Those of them that the log did not show it."""
    unseen = gaps.unseen(progress.group, of(progress)).filter(type__in=_types(progress))
    return gaps.nowhere(progress.group, unseen)


def count_lost(progress: Progress) -> int:
    """How many are lost that lie in no gap: more lie nowhere than were ignored."""
    passed, nowhere = of(progress), gaps.seen(progress.group, gaps.nowhere(progress.group, of(progress)))
    noted = InboxRow.objects.filter(group=progress.group, replay=LIVE, handled_at=None).values("event_id")
    count = nowhere.count()
    counted = ignored_once(
        progress, passed=passed.count(), nowhere=count, noted=passed.filter(event_id__in=noted).count()
    )
    return max(0, count - counted)


def count_unseen(progress: Progress) -> int:
    """How many are lost that lie in gaps, whatever their types."""
    return gaps.nowhere(progress.group, gaps.unseen(progress.group, of(progress))).count()


def _types(progress: Progress) -> list[str]:
    group = registry.groups.get(progress.group)
    return list(group.handlers) if group else []
