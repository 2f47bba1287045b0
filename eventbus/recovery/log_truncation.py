"""Noticing that a log ends before where it had ended: the brokers were restored to an earlier time, or lost its end.

A topic keeps its name and its id through that, so nothing but its end tells. Offsets that groups have reached and
places that were given out lie beyond the end then, and whatever comes next would take them.
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

LOOK_SECONDS = 2.0  # twice that until it is believed: a broker that has just become leader may not know all at once

Ends = dict[TopicPartition, int]


class TruncationDetector:
    """What one relay has seen of the ends of its logs."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._looked = float("-inf")
        self._ends: Ends = {}  # where each has ended at most
        self._early: set[TopicPartition] = set()  # that ended too early when they were seen last
        self._seen: set[str] | None = None  # topics whose ends were seen since the brokers were away, if they ever were

    def soon(self) -> None:
        """The brokers were away: nothing is appended to a log before its end was seen again."""
        if self._backend.topics is not None:
            self._seen = set()
            if not self._early:
                self._looked = float("-inf")

    @property
    def suspected(self) -> set[str]:
        """Topics that ended too early when they were seen last."""
        return {place.topic for place in self._early}

    def held(self, topics: set[str]) -> set[str]:
        """Those of which it is not known whether they have lost their ends."""
        unseen = set() if self._seen is None else topics - self._seen
        return unseen | (topics & self.suspected)

    def found(self, topics: Collection[str]) -> set[str]:
        """Which of these end, at two looks in a row, before where they had ended. Mostly it is too early to look.

        Brokers that say nothing are left for the next look: whoever asks has a lease to keep.
        """
        if self._backend.topics is None or time.monotonic() - self._looked < LOOK_SECONDS:
            return set()
        self._looked = time.monotonic()
        self._learn(topics)  # before the ends are asked for: a group may be there a moment later
        there = self._there(topics)
        early = {place: end for place, end in there.items() if end < self._note(place, end)}
        confirmed = {place.topic for place in early if place in self._early}
        self._early = early.keys() | {place for place in self._early if place not in there}
        if self._seen is not None:
            self._seen |= {place.topic for place in there}
        for place, end in early.items():
            if place.topic in confirmed:
                say(place, end, self._ends[place])
        return confirmed

    def at_once(self, topics: Collection[str]) -> set[str]:
        """The same at the first look, before anything is appended. Raises LogUnavailable."""
        found = {} if self._backend.topics is None else short(self._backend, topics)
        for place, (end, had) in found.items():
            say(place, end, had)
        return {place.topic for place in found}

    def forget(self, topic: str) -> None:
        """It was filled again: what was known of its ends is of the log before."""
        self._ends = {place: end for place, end in self._ends.items() if place.topic != topic}
        self._early = {place for place in self._early if place.topic != topic}
        if self._seen is not None:
            self._seen.add(topic)

    def _learn(self, topics: Collection[str]) -> None:
        learnt = {place.topic for place in self._ends}
        for topic in set(topics) - (learnt if self._seen is None else learnt & self._seen):
            for number, end in outbox_offsets.given(topic).items():
                self._note(TopicPartition(topic, number), end)
        rows = Progress.objects.filter(topic__in=topics).order_by().values_list("topic", "partition")
        for topic, number, end in rows.annotate(end=Max("offset")):
            self._note(TopicPartition(topic, number), end)

    def _note(self, place: TopicPartition, end: int) -> int:
        self._ends[place] = max(end, self._ends.get(place, 0))
        return self._ends[place]

    def _there(self, topics: Collection[str]) -> Ends:
        with suppress(LogUnavailable):
            return self._backend.ends_now(self._backend.partitions(sorted(topics)))
        return {}


def short(backend: Backend, topics: Collection[str]) -> dict[TopicPartition, tuple[int, int]]:
    """Where these end, and where they had ended, wherever that is farther. Raises LogUnavailable."""
    found = {}
    for topic in topics:
        given = outbox_offsets.given(topic)  # before the ends: a group may be there a moment later
        for place, end in backend.ends(backend.partitions([topic])).items():
            if end < given.get(place.partition, 0):
                found[place] = end, given[place.partition]
    return found


def say(place: TopicPartition, end: int, had: int) -> None:
    """In the log of the site, which store went back and by how much."""
    logger.error(
        "The log went back to an earlier time: %s/%s ends at %s, and had ended at %s. The brokers were restored, or "
        "have lost its end. What the outbox has of it is appended again, by itself",
        *(place.topic, place.partition, end, had),
    )


def problems(groups: Iterable[Any]) -> list[str]:
    """What an operator must see to, of `operations.GroupStatus`: a group that is beyond the end of its log."""
    return [
        f"The log went back to an earlier time: group {group.group} is at {one.offset} in {group.topic}/"
        f"{one.partition}, which ends at {one.end}. The brokers were restored, or have lost its end. A relay that runs "
        "appends again what the outbox has: see docs/operations.md, A store that went back."
        for group in groups
        for one in group.partitions
        if one.end is not None and one.offset > one.end
    ]
