"""Detect a reader that gets no records although the log has more, or that is beyond the end of the log.

Brokers that were restored to an earlier time know of fewer leader elections than a client has seen. librdkafka takes
their answers for outdated. From then on it reads nothing, without an error. A new client reads at once.
"""

import time
from collections.abc import Callable, Mapping

from eventbus.backends.base import TopicPartition

LOOK_SECONDS = 5.0  # between two looks; a healthy client gets all records of the log within this time
# Before a client is replaced again for the same offset. The log may end with a transaction's marker, which no client
# returns.
AGAIN_SECONDS = 300.0

Ends = Callable[[list[TopicPartition]], dict[TopicPartition, int]]


class Stalled(Exception):
    """The reader's client must be replaced. `ends`: the ends of the partitions beyond whose end the reader was."""

    def __init__(self, why: str, ends: Mapping[TopicPartition, int]) -> None:
        super().__init__(why)
        self.ends = ends


class Stalls:
    """The detector of one reader. `ends` returns the ends of partitions, as far as known at once."""

    def __init__(self, ends: Ends) -> None:
        self._ends, self._looked = ends, time.monotonic()
        self._before: dict[TopicPartition, tuple[int, int]] = {}  # the offset and the end of each at the last look
        self._replaced: dict[tuple[TopicPartition, int], float] = {}  # when, by partition and its offset then

    def is_due(self) -> bool:
        """Return True if it is time to look."""
        return time.monotonic() - self._looked >= LOOK_SECONDS

    def look(self, waiting: Mapping[TopicPartition, int]) -> None:
        """Compare the offsets of partitions that wait for more with the log's ends. Raises Stalled."""
        self._looked = time.monotonic()
        ends = self._ends(list(waiting)) if waiting else {}
        beyond = {one: end for one, end in ends.items() if end < waiting[one] and self._may_replace(one, waiting[one])}
        if beyond:
            self._before = {}
            names = ", ".join(f"{one.topic}/{one.partition} ends at {end}" for one, end in beyond.items())
            raise Stalled(f"the log went back to an earlier time: {names}, and was read farther", beyond)
        before, self._before = self._before, {one: (waiting[one], end) for one, end in ends.items()}
        stuck = [one for one, (at, end) in before.items() if end > at == waiting.get(one)]
        stuck = [one for one in stuck if self._may_replace(one, waiting[one])]
        if stuck:
            self._before = {}
            names = ", ".join(f"{one.topic}/{one.partition} at {waiting[one]}" for one in stuck)
            raise Stalled(f"nothing comes of {names}, and there is more", {})

    def _may_replace(self, partition: TopicPartition, at: int) -> bool:
        now = time.monotonic()
        self._replaced = {one: when for one, when in self._replaced.items() if now - when < AGAIN_SECONDS}
        return self._replaced.setdefault((partition, at), now) == now
