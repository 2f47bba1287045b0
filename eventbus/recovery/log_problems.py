"""Report problems of the log itself: it lost records, another site reads it, or it has unused partitions."""

from collections.abc import Iterator, Mapping

from eventbus import registry
from eventbus.backends.base import Backend
from eventbus.errors import LogUnavailable
from eventbus.models import TopicLog
from eventbus.recovery import lost_records

ASK_SECONDS = 1.5  # the wait for an answer is short, as for the ends of the log


def read(backend: Backend, *, answers: bool = True, lost: bool = True) -> list[str]:
    """Return one sentence for each problem, with the remedy. If brokers do not answer, return only the lost records.

    `answers`: False if the caller has waited for the brokers in vain. Then they are not asked again. `lost`: False if
    the caller knows that there are no lost records.
    """
    told = [lost_records.told(one) for one in lost_records.waiting()] if lost else []
    if not answers:
        return told
    try:
        return [*told, *(f"{one}." for one in backend.other_sites(registry.groups)), *_unused_partitions(backend)]
    except LogUnavailable:
        return told


def _unused_partitions(backend: Backend) -> Iterator[str]:
    """Report partitions that were added with Kafka's own tools."""
    if backend.topics is None:
        return
    in_use: Mapping[str, int | None] = dict(TopicLog.objects.values_list("topic", "partitions"))
    for topic, there in sorted(backend.topics.counts(list(in_use), ASK_SECONDS).items()):
        used = in_use[topic] or there
        if there > used:
            yield (
                f"{topic} has {there} partitions on the brokers, and keys are placed in {used}: nothing of ours is put "
                "into the others, and what other programs put there is not read. See manage.py eventbus topics."
            )
