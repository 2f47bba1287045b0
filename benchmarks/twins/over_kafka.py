"""Relay and durable handling over Kafka as by hand: the raw client, with our settings, and the same SQL."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from confluent_kafka import Consumer as Client
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Place
from django.conf import settings
from django.db import connection, transaction

from benchmarks.measure import rate
from benchmarks.sales import EVENT_BYTES, SaleMade
from benchmarks.twins.handling import TWIN, Told, handle_batch
from eventbus.backends.base import Unsent, partition_of
from eventbus.backends.kafka.configuration import configured
from eventbus.backends.kafka.envelope import headers_of
from eventbus.models import OutboxRow, Progress
from eventbus.publishing.relay import BATCH_ROWS
from eventbus.registry import BATCH_EVENTS

GIVE_UP_SECONDS = 60
TOPIC = SaleMade.topic
_ROOM = "UPDATE eventbus_outbox SET partition = place.partition, log_offset = place.log_offset FROM"


def servers() -> str:
    return str(settings.EVENTBUS["OPTIONS"]["servers"])


def raw_producer() -> Producer:
    return Producer(configured("producer", servers(), {}))


class Reports:
    """Where Kafka put what, by row."""

    def __init__(self) -> None:
        self.places: list[tuple[int, int, int]] = []

    def of(self, row_id: int) -> Callable[[Any, Any], None]:
        return lambda error, message: self.places.append((row_id, message.partition(), message.offset()))


def relay(producer: Producer) -> None:
    """The least that loses nothing: offsets are noted once all are acknowledged."""
    while rows := [Unsent(*row) for row in _unsent()]:
        reports = Reports()
        for row in rows:
            producer.produce(
                row.topic,
                key=row.key.encode(),
                value=row.payload,
                headers=headers_of(row, partition_of(row.key, settings.EVENTBUS["OPTIONS"]["partitions"])),
                on_delivery=reports.of(row.id),
            )
        producer.flush()
        assert len(reports.places) == len(rows), "Kafka did not take all"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"{_ROOM} unnest(%s::bigint[], %s::int[], %s::bigint[]) AS place (id, partition, log_offset)"
                " WHERE eventbus_outbox.id = place.id",
                [list(column) for column in zip(*reports.places, strict=True)],
            )


def _unsent() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(Unsent._fields)} FROM eventbus_outbox WHERE log_offset IS NULL AND rejected = ''"
            " ORDER BY id LIMIT %s",
            [BATCH_ROWS],
        )
        return list(cursor.fetchall())


def rate_of_sending(producer: Producer, count: int) -> float:
    row = Unsent(*OutboxRow.objects.order_by("-id").values_list(*Unsent._fields)[0])
    assert len(row.payload) == EVENT_BYTES
    headers = headers_of(row, 0)

    def send() -> None:
        for number in range(count):
            producer.produce(TOPIC, key=str(number).encode(), value=row.payload, headers=headers, on_delivery=_nothing)
            if number % BATCH_ROWS == BATCH_ROWS - 1:
                producer.flush()
        producer.flush()

    return rate(send, count=count)


def _nothing(error: Any, message: Any) -> None:
    assert error is None, error


class RawReader:
    """A consumer without a group and a loop as anybody would write it, who knows what must not be lost."""

    def __init__(self) -> None:
        self._client = Client(configured("consumer", servers(), {}) | {"group.id": TWIN})
        places = Progress.objects.filter(group=TWIN, topic=TOPIC)
        self._client.assign([Place(row.topic, row.partition, row.offset) for row in places])

    def work(self, count: int) -> None:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while count > 0:
            by_partition: dict[int, list[Any]] = {}
            # All that has come, for full batches; a lot of a fixed size would be waited for in the end.
            for message in self._client.consume(count, 0) or self._client.consume(1, 0.05):
                by_partition.setdefault(message.partition(), []).append(message)
            for partition, messages in by_partition.items():
                for start in range(0, len(messages), BATCH_EVENTS):
                    count -= _handle(partition, messages[start : start + BATCH_EVENTS])
            assert time.monotonic() < deadline, f"{count} events did not come"

    def close(self) -> None:
        self._client.close()


def _handle(partition: int, messages: list[Any]) -> int:
    told = [
        Told(UUID(dict(one.headers())["ce_id"].decode()), one.key().decode(), one.offset(), one.value())
        for one in messages
    ]
    handle_batch(TOPIC, partition, told)
    return len(messages)
