"""The number of a topic's partitions that are in use.

Partitions may be added with Kafka's own tools. Then a key's next event would be in another partition than its earlier
ones, and be handled before them. So keys keep their partitions until an operator puts the new ones into use, once
every group has handled all records of the topic (`operations.topic_setup`). Until then the relay appends nothing to
the new ones, and groups do not read other programs' records there.
"""

import time
from collections.abc import Iterable

from eventbus.backends import outbox_offsets
from eventbus.backends.base import TopicPartition, Unsent, partition_of
from eventbus.backends.kafka.brokers.topics import ANSWER_SECONDS, LOOK_SECONDS, KafkaTopics
from eventbus.errors import LogUnavailable

KNOWN_SECONDS = 30.0  # how long the brokers' answer is kept: partitions are added by hand, and seldom


class Partitions:
    """The partitions in use of all topics. Answers are remembered for KNOWN_SECONDS."""

    def __init__(self, topics: KafkaTopics) -> None:
        self._topics = topics
        self._known: dict[str, tuple[float, int]] = {}
        self._placed_by: dict[str, int] = {}  # the number of partitions into which the relay puts a topic's keys

    def forget(self) -> None:
        """Forget all answers, so that the brokers are asked anew."""
        self._known.clear()
        self._placed_by.clear()

    def used(self, topics: Iterable[str]) -> list[TopicPartition]:
        """Return all partitions of these topics into which keys go. Raises LogUnavailable."""
        return [TopicPartition(topic, number) for topic in topics for number in range(self.count(topic))]

    def there(self, topics: Iterable[str]) -> list[TopicPartition]:
        """Return all partitions of these topics that the brokers have. Raises LogUnavailable."""
        return [TopicPartition(topic, number) for topic in topics for number in range(self._ask(topic, ANSWER_SECONDS))]

    def count(self, topic: str, seconds: float = ANSWER_SECONDS) -> int:
        """Return the number of a topic's partitions into which keys go. Raises LogUnavailable after `seconds`."""
        known = self._known.get(topic)
        if known is None or time.monotonic() - known[0] > KNOWN_SECONDS:
            there = self._ask(topic, seconds)
            known = self._known[topic] = (time.monotonic(), min(there, outbox_offsets.partitions(topic) or there))
        return known[1]

    def learn(self, topics: Iterable[str]) -> None:
        """Learn the topics' numbers of partitions before events are sent. They are kept for as long as a relay runs.

        Waits only briefly, because the caller must renew its lease. Raises LogUnavailable, which names the topic.
        """
        for topic in topics:
            if topic not in self._placed_by:
                try:
                    self._placed_by[topic] = self.count(topic, LOOK_SECONDS)
                except LogUnavailable as error:
                    raise LogUnavailable(str(error), {topic}) from error

    def of(self, row: Unsent) -> int:
        """Return the partition into which a row's key goes. Its topic must have been passed to `learn`."""
        return partition_of(row.key, self._placed_by[row.topic])

    def _ask(self, topic: str, seconds: float) -> int:
        count = self._topics.counts([topic], seconds).get(topic)
        if count is None:
            raise LogUnavailable(self._topics.missing(topic))
        return count
