"""Where each group begins, and what its workers lock."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Case, F, Value, When

from eventbus import clock
from eventbus.backends.base import Backend, TopicPartition
from eventbus.errors import StaleEpoch
from eventbus.models import ConsumerGroup, ParkedKey, Progress
from eventbus.registry import Group


def ensure(backend: Backend, wanted: Iterable[Group]) -> None:
    """Give each group its rows. A new group, or a topic new to it, begins at the log's end as it is now."""
    with transaction.atomic():
        for group in wanted:
            ConsumerGroup.objects.get_or_create(name=group.name, defaults={"created_at": clock.now()})
            known = set(Progress.objects.filter(group=group.name).values_list("topic", "partition"))
            Progress.objects.bulk_create(
                [
                    Progress(group=group.name, topic=one.topic, partition=one.partition, position=backend.end(one))
                    for one in backend.partitions(group.topics)
                    if (one.topic, one.partition) not in known
                ]
            )


def take_over(group: Group, assigned: Iterable[TopicPartition]) -> dict[TopicPartition, Progress]:
    """Become the owner of these partitions: whoever owned them writes no more. A handling left running is a crash."""
    wanted = set(assigned)
    with transaction.atomic():
        rows = Progress.objects.filter(group=group.name, topic__in=group.topics)
        rows.update(
            epoch=F("epoch") + 1,
            crashes=Case(When(running_event__isnull=True, then=Value(0)), default=F("crashes") + 1),
        )
        ParkedKey.objects.filter(group=group.name, running=True).update(running=False, crashes=F("crashes") + 1)
        owned = {TopicPartition(row.topic, row.partition): row for row in rows}
    return {one: owned[one] for one in owned.keys() & wanted}


def lock(group: Group, partition: TopicPartition, epoch: int) -> Progress:
    """Hold the group's progress in a partition for the rest of the transaction. Raises StaleEpoch."""
    row = Progress.objects.select_for_update().get(
        group=group.name, topic=partition.topic, partition=partition.partition
    )
    if row.epoch != epoch:
        raise StaleEpoch(f"{group.name} {partition.topic}/{partition.partition} has another owner")
    return row
