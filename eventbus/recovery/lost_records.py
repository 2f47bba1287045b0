"""Records that the log deleted before a group read them, and that the outbox does not have either.

They are lost for the group, and their content is unknown. Most likely they are other programs' events, which those
programs must write again. The status reports them until an operator accepts the loss.
"""

import logging
from collections.abc import Collection
from functools import partial

from django.db import transaction
from django.db.models import Max, QuerySet

from eventbus import clock
from eventbus.backends.base import TopicPartition
from eventbus.models import WHO_CHARACTERS_MAX, LostRecords, TopicLog

logger = logging.getLogger(__name__)


def note(group: str, partition: TopicPartition, begin: int, end: int, count: int) -> None:
    """Store that `count` records between these offsets are lost for a group.

    The same loss may be found again. It is stored once.
    """
    log = TopicLog.objects.filter(topic=partition.topic).values_list("generation", flat=True).first() or ""
    mine = {"group": group, "topic": partition.topic, "partition": partition.partition, "generation": log}
    said = LostRecords.objects.filter(**mine).aggregate(end=Max("end"))["end"] or 0
    if count <= 0 or end <= said:
        return
    lost = LostRecords.objects.create(
        **mine, begin=max(begin, said), end=end, count=min(count, end - max(begin, said)), noted_at=clock.now()
    )
    transaction.on_commit(partial(logger.error, "%s", told(lost)), robust=True)


def told(lost: LostRecords) -> str:
    """Describe a group's loss, in a sentence with the remedy."""
    return (
        f"Group {lost.group} lost {lost.count} records of {lost.topic}/{lost.partition}, offsets {lost.begin} to "
        f"{lost.end - 1}: the log let go of them before the group read them, and the outbox does not have them. "
        f"Have their publishers write them again, then: manage.py eventbus lost --accept {lost.pk}"
    )


def waiting() -> QuerySet[LostRecords]:
    """Return losses that no operator has accepted, the oldest first."""
    return LostRecords.objects.filter(accepted_at=None).order_by("id")


def accept(lost: Collection[LostRecords], who: str) -> None:
    """Accept losses, so that they are reported no more."""
    LostRecords.objects.filter(id__in=[one.pk for one in lost], accepted_at=None).update(
        accepted_at=clock.now(), accepted_by=who[:WHO_CHARACTERS_MAX]
    )


def reopen(lost: Collection[LostRecords]) -> None:
    """Report losses again that were accepted by mistake."""
    LostRecords.objects.filter(id__in=[one.pk for one in lost]).update(accepted_at=None, accepted_by="")
