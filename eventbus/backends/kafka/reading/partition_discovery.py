"""Discover added partitions for a reader without a group. The brokers assign them to readers with a group."""

import logging
import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException

from eventbus.backends.base import TopicPartition
from eventbus.backends.kafka.brokers.topics import LOOK_SECONDS

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 30.0  # partitions are added by hand, and seldom; nothing is read while the question is open


class PartitionDiscovery:
    """The discovery of one reader. `topics` maps the bus's names of topics to those on the brokers."""

    def __init__(self, topics: Mapping[str, str]) -> None:
        self._topics, self._looked = topics, time.monotonic()

    def look(self, client: Consumer) -> list[TopicPartition]:
        """Return all existing partitions.

        Return none within LOOK_AGAIN_SECONDS of the last call, or if no broker answers.
        """
        if time.monotonic() - self._looked < LOOK_AGAIN_SECONDS:
            return []
        self._looked = time.monotonic()
        try:
            return [
                TopicPartition(topic, number)
                for topic, name in self._topics.items()
                for number in client.list_topics(name, LOOK_SECONDS).topics[name].partitions
            ]
        except KafkaException as error:
            logger.info("Kafka does not say how many partitions there are: %s", error)
            return []
