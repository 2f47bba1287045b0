"""Read a log's tail, and find the records that relays appended to a recreated log before the loss was noticed."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError
from confluent_kafka import TopicPartition as ClientPartition

from eventbus.backends.kafka.brokers.topics import ANSWER_SECONDS
from eventbus.backends.kafka.envelope import record_of
from eventbus.errors import LogUnavailable
from eventbus.events import Record

logger = logging.getLogger(__name__)

RECORDS_AT_ONCE = 10_000  # read between two renewals of the relay's lease: this takes far less than the lease lasts
WAIT_SECONDS = 0.5  # for the next record


def behind_ours(records: Iterable[Record], name: str) -> dict[int, int]:
    """Return, by partition, the offset after this site's last record, where there is one."""
    behind: dict[int, int] = {}
    others, passed = Counter[int](), Counter[int]()
    for record in records:
        if record.ours:
            behind[record.partition] = record.offset + 1
            passed[record.partition] = others[record.partition]
        else:
            others[record.partition] += 1
    if count := passed.total():
        logger.error("In %s lie %s records of others before some of ours: no group here reads them", name, count)
    return behind


def lying_in(
    client: Consumer, name: str, topic: str, begins: Mapping[int, int], beat: Callable[[], None]
) -> Iterator[Record]:
    """Yield the topic's records from the offsets in `begins` on, up to the end of each partition.

    `client` must report the ends of partitions (`enable.partition.eof`). `name` is the topic's name on the brokers.
    `begins`: the first offset to read, by partition. `beat` renews the relay's lease, and is called again and again.
    Raises LogUnavailable, and what `beat` raises.
    """
    left = set(begins)
    client.assign([ClientPartition(name, partition, begin) for partition, begin in begins.items()])
    for message in _until_silence(client, beat) if left else ():
        if message.error() is None:
            yield record_of(message, topic)
            continue
        if message.error().code() != KafkaError._PARTITION_EOF:
            raise LogUnavailable(f"Kafka does not say what lies in {name}: {message.error().str()}")
        left.discard(int(message.partition()))
        if not left:
            return
    if left:
        raise LogUnavailable(f"Kafka does not say what lies in {name}")


def _until_silence(client: Consumer, beat: Callable[[], None]) -> Iterator[Any]:
    """Yield messages until none has come for ANSWER_SECONDS."""
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until:
        beat()
        first = client.poll(WAIT_SECONDS)
        if first is not None:
            yield first
            yield from client.consume(RECORDS_AT_ONCE - 1, 0)
            until = time.monotonic() + ANSWER_SECONDS
