"""How many of a topic's partitions are used.

Somebody may add some with Kafka's own tools. Then a key's next event would lie in another partition than those before
it, and be handled before them. So keys stay where they are until an operator leads the new ones in, once every group
has handled what lies there (`operations.topic_setup`). Until then nothing is put into the new ones, and groups leave
what others put there.
"""

import time
from collections.abc import Iterable

from eventbus.backends import outbox_offsets
from eventbus.backends.base import TopicPartition, Unsent, partition_of
from eventbus.backends.kafka.topics import ANSWER_SECONDS, LOOK_SECONDS, KafkaTopics
from eventbus.errors import LogUnavailable

KNOWN_SECONDS = 30.0  # how long an answer about partitions is believed: they are added by hand, and seldom


class Partitions:
    """Of all topics; what it was told is remembered for a while."""

    def __init__(self, topics: KafkaTopics) -> None:
        self._topics = topics
        self._known: dict[str, tuple[float, int]] = {}
        self._placed_by: dict[str, int] = {}  # by how many the relay places a topic's keys

    def forget(self) -> None:
        """Ask anew."""
        self._known.clear()
        self._placed_by.clear()

    def used(self, topics: Iterable[str]) -> list[TopicPartition]:
        """All that keys are placed in. Raises LogUnavailable."""
        return [TopicPartition(topic, number) for topic in topics for number in range(self.count(topic))]

    def there(self, topics: Iterable[str]) -> list[TopicPartition]:
        """All that the brokers have. Raises LogUnavailable."""
        return [TopicPartition(topic, number) for topic in topics for number in range(self._ask(topic, ANSWER_SECONDS))]

    def count(self, topic: str, seconds: float = ANSWER_SECONDS) -> int:
        """How many are used. Raises LogUnavailable after so long."""
        known = self._known.get(topic)
        if known is None or time.monotonic() - known[0] > KNOWN_SECONDS:
            there = self._ask(topic, seconds)
            known = self._known[topic] = (time.monotonic(), min(there, outbox_offsets.partitions(topic) or there))
        return known[1]

    def learn(self, topics: Iterable[str]) -> None:
        """Before events are sent. The number stays for as long as a relay runs; whoever asks has a lease to keep.

        Raises LogUnavailable with the topic.
        """
        for topic in topics:
            if topic not in self._placed_by:
                try:
                    self._placed_by[topic] = self.count(topic, LOOK_SECONDS)
                except LogUnavailable as error:
                    raise LogUnavailable(str(error), {topic}) from error

    def of(self, row: Unsent) -> int:
        """Where a row belongs whose topic was learnt."""
        return partition_of(row.key, self._placed_by[row.topic])

    def _ask(self, topic: str, seconds: float) -> int:
        count = self._topics.counts([topic], seconds).get(topic)
        if count is None:
            raise LogUnavailable(self._topics.missing(topic))
        return count
