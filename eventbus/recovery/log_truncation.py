"""Detect that a log ends before its earlier end: the brokers were restored to an earlier time, or lost its end.

The topic keeps its name and its id, so only the log's end shows this. Offsets that groups have reached, or that records
were given, then lie beyond the end. New records would take these offsets.
"""

import logging
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

from django.db.models import Max

from eventbus.backends import outbox_offsets
from eventbus.backends.base import Backend, TopicPartition
from eventbus.errors import LogUnavailable
from eventbus.models import Progress

logger = logging.getLogger(__name__)

# Between two checks of the logs' ends. Two checks must agree: a broker that has just become leader may not know all of
# its log at once.
LOOK_SECONDS = 2.0

Ends = dict[TopicPartition, int]


class TruncationDetector:
    """Detect logs that lost their ends, by the ends that one relay has seen."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._looked = float("-inf")
        self._ends: Ends = {}  # the farthest known end of each partition
        self._early: set[TopicPartition] = set()  # partitions whose logs ended too early at the last check
        self._seen: set[str] | None = None  # topics whose ends were seen since the last outage; None before any

    def soon(self) -> None:
        """Let nothing be appended to a log (`held`) before its end is seen again.

        Called when the brokers were unavailable.
        """
        if self._backend.topics is not None:
            self._seen = set()
            if not self._early:
                self._looked = float("-inf")

    @property
    def suspected(self) -> set[str]:
        """The topics whose logs ended too early at the last check."""
        return {partition.topic for partition in self._early}

    def held(self, topics: set[str]) -> set[str]:
        """Return those of these topics whose logs may have lost their ends.

        These are the topics whose ends were not seen since the brokers were unavailable, and the suspected ones.
        """
        unseen = set() if self._seen is None else topics - self._seen
        return unseen | (topics & self.suspected)

    def found(self, topics: Collection[str]) -> set[str]:
        """Return the topics whose logs ended too early at two checks in a row.

        Within LOOK_SECONDS of the last check it does not check again, and returns none. Partitions whose brokers do not
        answer are left for the next check, because the caller must renew its lease.
        """
        if self._backend.topics is None or time.monotonic() - self._looked < LOOK_SECONDS:
            return set()
        self._looked = time.monotonic()
        self._learn(topics)  # before the ends are read: a group may reach further a moment later
        there = self._there(topics)
        early = {partition: end for partition, end in there.items() if end < self._note(partition, end)}
        confirmed = {partition.topic for partition in early if partition in self._early}
        self._early = early.keys() | {partition for partition in self._early if partition not in there}
        if self._seen is not None:
            self._seen |= {partition.topic for partition in there}
        for partition, end in early.items():
            if partition.topic in confirmed:
                say(partition, end, self._ends[partition])
        return confirmed

    def at_once(self, topics: Collection[str]) -> set[str]:
        """Return the topics whose logs end too early at one check, before anything is appended.

        Raises LogUnavailable.
        """
        found = {} if self._backend.topics is None else short(self._backend, topics)
        for partition, (end, had) in found.items():
            say(partition, end, had)
        return {partition.topic for partition in found}

    def forget(self, topic: str) -> None:
        """Forget the end offsets of a topic before it is refilled: they are those of the lost log.

        Compared with them, the new log could look truncated.
        """
        self._ends = {partition: end for partition, end in self._ends.items() if partition.topic != topic}
        self._early = {partition for partition in self._early if partition.topic != topic}
        if self._seen is not None:
            self._seen.add(topic)

    def _learn(self, topics: Collection[str]) -> None:
        learnt = {partition.topic for partition in self._ends}
        for topic in set(topics) - (learnt if self._seen is None else learnt & self._seen):
            for number, end in outbox_offsets.given(topic).items():
                self._note(TopicPartition(topic, number), end)
        rows = Progress.objects.filter(topic__in=topics).order_by().values_list("topic", "partition")
        for topic, number, end in rows.annotate(end=Max("offset")):
            self._note(TopicPartition(topic, number), end)

    def _note(self, partition: TopicPartition, end: int) -> int:
        self._ends[partition] = max(end, self._ends.get(partition, 0))
        return self._ends[partition]

    def _there(self, topics: Collection[str]) -> Ends:
        with suppress(LogUnavailable):
            return self._backend.ends_now(self._backend.partitions(sorted(topics)))
        return {}


def short(backend: Backend, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
    """Return the partitions whose logs end earlier than they did, each with its end and the earlier one.

    Raises LogUnavailable.
    """
    found = {}
    for topic in topics:
        given = outbox_offsets.given(topic)  # before the ends: a group may reach further a moment later
        for partition, end in backend.ends(backend.partitions([topic])).items():
            if end < given.get(partition.partition, 0):
                found[partition] = end, given[partition.partition]
    return found


def say(partition: TopicPartition, end: int, had: int) -> None:
    """Log an error that names a partition whose log lost its end, with its end and the earlier one."""
    logger.error(
        "The log went back to an earlier time: %s/%s ends at %s, and had ended at %s. The brokers were restored, or "
        "have lost its end. What the outbox has of it is appended again, by itself",
        *(partition.topic, partition.partition, end, had),
    )


def problems(groups: Iterable[Any]) -> list[str]:
    """Return a sentence for each partition in which a group's offset is beyond the end of the log.

    `groups` are `operations.GroupStatus` objects.
    """
    return [
        f"The log went back to an earlier time: group {group.group} is at {one.offset} in {group.topic}/"
        f"{one.partition}, which ends at {one.end}. The brokers were restored, or have lost its end. A relay that runs "
        "appends again what the outbox has: see docs/operations.md, A store that went back."
        for group in groups
        for one in group.partitions
        if one.end is not None and one.offset > one.end
    ]
