"""Read the status of each group in each topic: its offset, its lag, since when, and what is parked or dead."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db.models import OuterRef, Subquery

from eventbus import backends, clock
from eventbus.backends.base import TopicPartition
from eventbus.errors import LogUnavailable
from eventbus.models import OutboxRow, Progress
from eventbus.operations import tally
from eventbus.operations.tally import Tally

UNREACHED = (
    "The log does not give the end of {missing} of {asked} partitions, such as {first}, so their lag is not known. Are "
    "the brokers running, is KAFKA_BOOTSTRAP_SERVERS right, and has manage.py eventbus topics nothing to make?"
)


class PartitionStatus(msgspec.Struct, frozen=True):
    """A group's status in one partition. `end` and `lag` are None if the log does not give its end.

    `waits_since`: when this site's next event that the group has not reached was appended; None if there is none.
    """

    partition: int
    offset: int
    end: int | None
    lag: int | None
    waits_since: datetime | None


class GroupStatus(msgspec.Struct, frozen=True):
    """The status of a group in one topic: sums over its partitions, and the number of parked keys and dead letters."""

    group: str
    topic: str
    offset: int
    end: int | None
    lag: int | None
    handled: int
    ignored: int
    discarded: int
    retrying_keys: int
    dead_keys: int
    dead_letters: int
    waits_since: datetime | None
    waiting_seconds: float
    partitions: list[PartitionStatus]


def progress() -> list[Any]:
    """Return all progress rows, each with `waits_since`: when the group's next event in that partition was appended.

    `waits_since` is None if the group has reached all events of this site.
    """
    ahead = OutboxRow.objects.filter(
        topic=OuterRef("topic"), partition=OuterRef("partition"), offset__gte=OuterRef("offset")
    )
    since = Subquery(ahead.order_by("offset").values("appended_at")[:1])
    return list(Progress.objects.annotate(waits_since=since).order_by("group", "topic", "partition"))


def ends(progress: Iterable[Any], *, patient: bool = False) -> tuple[dict[TopicPartition, int], str]:
    """Return the ends that the log gives at once, and a sentence about those that it does not give.

    Pages and metrics ask so: if the brokers are away, an operator must read it soon, and not after their long timeout.
    `patient`: wait for brokers that are busy, for as long as a command may.
    """
    asked = sorted({TopicPartition(row.topic, row.partition) for row in progress})
    try:
        found = backends.current().ends(asked) if patient else backends.current().ends_now(asked)
    except LogUnavailable as error:
        return {}, str(error)
    missing = ["/".join(map(str, one)) for one in asked if one not in found]
    return found, UNREACHED.format(missing=len(missing), asked=len(asked), first=missing[0]) if missing else ""


def read(progress: Iterable[Any], ends: Mapping[TopicPartition, int], counted: Tally) -> list[GroupStatus]:
    """Return a status for each group and topic, from the rows of `progress`, the ends of the log, and the counts."""
    waits = {
        "retrying_keys": counted.by_topic(tally.RETRYING_KEYS),
        "dead_keys": counted.by_topic(tally.DEAD_KEYS),
        "dead_letters": counted.by_topic(tally.DEAD_LETTERS),
    }
    rows: dict[tuple[str, str], list[Any]] = {}
    for row in progress:
        rows.setdefault((row.group, row.topic), []).append(row)
    return [
        _group(group_topic, found, ends, {name: counts.get(group_topic, 0) for name, counts in waits.items()})
        for group_topic, found in rows.items()
    ]


def _group(
    group_topic: tuple[str, str], rows: list[Any], ends: Mapping[TopicPartition, int], waits: Mapping[str, int]
) -> GroupStatus:
    group, topic = group_topic
    partitions = [_partition(row, ends.get(TopicPartition(topic, row.partition))) for row in rows]
    since = min((one.waits_since for one in partitions if one.waits_since), default=None)
    return GroupStatus(
        group=group,
        topic=topic,
        offset=sum(one.offset for one in partitions),
        end=_sum([one.end for one in partitions]),
        lag=_sum([one.lag for one in partitions]),
        handled=sum(row.handled for row in rows),
        ignored=sum(row.ignored for row in rows),
        discarded=sum(row.discarded for row in rows),
        waits_since=since,
        waiting_seconds=max(0.0, (clock.now() - since).total_seconds()) if since else 0.0,
        partitions=partitions,
        **waits,
    )


def _partition(row: Any, end: int | None) -> PartitionStatus:
    lag = None if end is None else max(0, end - row.offset)
    return PartitionStatus(row.partition, row.offset, end, lag, row.waits_since)


def _sum(counts: Sequence[int | None]) -> int | None:
    return None if None in counts else sum(filter(None, counts))
