"""Find keys with events under way: one module may have published what another has not handled yet."""

from collections.abc import Collection

from django.db.models import Min

from eventbus.models import OutboxRow, ParkedKey, Progress
from eventbus.publishing.rejected_records import UNSENT


def keys(topics: Collection[str]) -> set[str]:
    """Return the keys in these topics with an event that is unsent, that a group has not reached, or that is parked."""
    found = set(OutboxRow.objects.filter(UNSENT, topic__in=topics).values_list("key", flat=True))
    found |= set(ParkedKey.objects.filter(topic__in=topics).values_list("key", flat=True))
    slowest = Progress.objects.filter(topic__in=topics).order_by().values_list("topic", "partition")
    for topic, partition, offset in slowest.annotate(offset=Min("offset")):
        ahead = OutboxRow.objects.filter(topic=topic, partition=partition, offset__gte=offset)
        found |= set(ahead.values_list("key", flat=True))
    return found
