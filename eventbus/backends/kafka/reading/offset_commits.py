"""How far a reader is, told to Kafka: a hint for its own tools, since the truth about that is in our database."""

import logging

from confluent_kafka import Consumer, KafkaException, TopicPartition

from eventbus import failpoints

logger = logging.getLogger(__name__)


def tell(client: Consumer, places: list[TopicPartition], *, wait: bool) -> None:
    """That it could not be told disturbs nobody."""
    failpoints.hit("offsets.commit")
    try:
        if wait:
            client.commit(offsets=places, asynchronous=False)
        else:
            client.commit(offsets=places, asynchronous=True)
    except KafkaException as error:
        logger.info("Offsets were not committed: %s", error)
    failpoints.hit("offsets.committed")
