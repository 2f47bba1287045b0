"""What a relay has put into a log that was made anew, before anybody knew that it was."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError
from confluent_kafka import TopicPartition as Place

from eventbus.backends.kafka.envelope import record_of
from eventbus.backends.kafka.topics import ANSWER_SECONDS
from eventbus.errors import LogAway

logger = logging.getLogger(__name__)

RECORDS_AT_ONCE = 10_000  # read between two beats of the relay's lease: far less than its time
WAIT_SECONDS = 0.5  # for the next of them


def behind_ours(
    client: Consumer, name: str, topic: str, partitions: Iterable[int], beat: Callable[[], None]
) -> dict[int, int]:
    """By partition, where the log goes on behind the last record that was published here, if there is one.

    `client` tells where partitions end (`enable.partition.eof`), `name` is the topic's on the brokers. `beat` is
    called every now and then. Raises LogAway, and what `beat` raises.
    """
    left = set(partitions)
    behind: dict[int, int] = {}
    others, passed = Counter[int](), Counter[int]()
    client.assign([Place(name, partition, OFFSET_BEGINNING) for partition in left])
    for message in _until_silence(client, beat):
        partition = int(message.partition())
        if message.error() is not None:
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise LogAway(f"Kafka does not say what lies in {name}: {message.error().str()}")
            left.discard(partition)
            if not left:
                break
        elif record_of(message, topic).ours:
            behind[partition] = message.offset() + 1
            passed[partition] = others[partition]
        else:
            others[partition] += 1
    if left:
        raise LogAway(f"Kafka does not say what lies in {name}")
    if count := passed.total():
        logger.error("In %s lie %s records of others before some of ours: no group here reads them", name, count)
    return behind


def _until_silence(client: Consumer, beat: Callable[[], None]) -> Iterator[Any]:
    """Messages, until none has come for ANSWER_SECONDS."""
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until:
        beat()
        first = client.poll(WAIT_SECONDS)
        if first is not None:
            yield first
            yield from client.consume(RECORDS_AT_ONCE - 1, 0)
            until = time.monotonic() + ANSWER_SECONDS
