"""Commit a reader's offsets to Kafka, for Kafka's own tools. The bus itself reads progress from the database."""

import logging

from confluent_kafka import Consumer, KafkaException, TopicPartition

from eventbus import failpoints

logger = logging.getLogger(__name__)


def commit(client: Consumer, offsets: list[TopicPartition], *, wait: bool) -> None:
    """Commit these offsets. A failure is harmless, and is only logged."""
    failpoints.hit("offsets.commit")
    try:
        if wait:
            client.commit(offsets=offsets, asynchronous=False)
        else:
            client.commit(offsets=offsets, asynchronous=True)
    except KafkaException as error:
        logger.info("Offsets were not committed: %s", error)
    failpoints.hit("offsets.committed")
