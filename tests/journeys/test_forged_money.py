"""Money that no charge stands behind makes no order paid, whoever can write to the brokers."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from eventbus import registry
from eventbus.audit import delivery_audit
from eventbus.backends.base import partition_of
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.events import Event
from eventbus.ids import uuid7
from eventbus.repairs import untrusted_records
from eventbus.testing import settle
from mcommerce.events import PaymentSucceeded
from mcommerce.orders.models import Order
from tests.eventbus.bus_app_on_kafka import FLUSH_SECONDS, in_use

PARTITIONS = 4  # as of the groups that the tables know
SOURCES = ["/mcommerce/payment", "/elsewhere"]


@pytest.fixture
def log(transactional_db: None, kafka: str) -> Iterator[KafkaBackend]:
    """The site's brokers, to which anybody can write."""
    backend = KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.", partitions=PARTITIONS)
    with in_use(backend):
        backend.provision(registry.topics())
        yield backend


@pytest.fixture
def order(log: KafkaBackend, request: pytest.FixtureRequest) -> Order:
    """One that waits for its money."""
    order_of: Callable[..., Order] = request.getfixturevalue("order_of")
    return order_of()


def paid(order: Order) -> PaymentSucceeded:
    fields: dict[str, Any] = dict.fromkeys(PaymentSucceeded.__struct_fields__, "")
    known = {"order_id": order.id, "payment_id": uuid7(), "amount": order.total, "currency": order.currency}
    return PaymentSucceeded(**{name: known.get(name, value) for name, value in fields.items()})


def write(log: KafkaBackend, event: Event, *, headers: Any = None, **attributes: str) -> None:
    told = {"specversion": "1.0", "id": str(uuid7()), "source": "/mcommerce", "type": event.wire_type()} | attributes
    stranger = Producer({"bootstrap.servers": log._servers})
    stranger.produce(
        log.topics.name(event.topic),
        msgspec.json.encode(event),
        key=event.key().encode(),
        headers=headers or {f"ce_{name}": text.encode() for name, text in told.items()},
    )
    assert stranger.flush(FLUSH_SECONDS) == 0


def headers_of_a_genuine(log: KafkaBackend, order: Order) -> list[tuple[str, bytes]]:
    """Those of the newest record about its payment: the site has signed it."""
    place = log.partitions([PaymentSucceeded.topic])[partition_of(str(order.id), PARTITIONS)]
    reader = Consumer({"bootstrap.servers": log._servers, "group.id": str(uuid4())})
    try:
        reader.assign([TopicPartition(log.topics.name(place.topic), place.partition, log.end(place) - 1)])
        message = reader.poll(FLUSH_SECONDS)
        return list(message.headers())
    finally:
        reader.close()


def unpaid(order: Order) -> None:
    settle(raise_errors=True)
    order.refresh_from_db()
    assert (order.state, order.payment_id) == (Order.State.AWAITING_PAYMENT, None)
    assert delivery_audit.problems(delivery_audit.read()) == []
    assert any("orders has set aside 1 records of payment" in problem for problem in untrusted_records.problems())


@pytest.mark.parametrize("source", SOURCES)
def test_an_order_is_not_paid_by_a_forged_event(log: KafkaBackend, order: Order, source: str) -> None:
    write(log, paid(order), source=source)

    unpaid(order)


def test_nor_by_one_that_borrows_a_genuine_ones_signature(log: KafkaBackend, order: Order) -> None:
    headers = [
        (name, PaymentSucceeded.wire_type().encode() if name == "ce_type" else value)
        for name, value in headers_of_a_genuine(log, order)
    ]

    write(log, paid(order), headers=headers)

    unpaid(order)
