"""Peers that one can install, made to do what we measure: take events from their outbox and send them to nothing."""

import logging
from dataclasses import dataclass

from django.db import transaction
from django_domain_events import DURABLE, event, fire, receiver
from django_domain_events.delivery.drain_outbox import drain_outbox
from django_outbox_pattern.models import Published
from django_outbox_pattern.producers import Producer

from eventbus.ids import uuid7

logging.getLogger("django_outbox_pattern").setLevel(logging.WARNING)  # a line for each message is not what we measure


class Nowhere:
    """A STOMP connection that takes everything and sends nothing."""

    def is_connected(self) -> bool:
        return True

    def send(self, **message: object) -> None:
        pass

    def disconnect(self) -> None:
        pass


class Unresting(Producer):
    """django-outbox-pattern's producer, without the second that it waits after each look."""

    def _waiting(self) -> None:
        pass


def outbox_pattern_publish(count: int) -> None:
    with transaction.atomic():
        Published.objects.bulk_create(
            Published(destination="sales", body={"order_id": str(uuid7()), "amount": 1900, "currency": "EUR"})
            for _ in range(count)
        )


def outbox_pattern_relay() -> None:
    Unresting(Nowhere(), "", "").publish_message_from_database()


@event(name="benchmarks.sale_told")
@dataclass(frozen=True, slots=True)
class SaleTold:
    order_id: str
    amount: int
    currency: str


@receiver(SaleTold, mode=DURABLE, key="benchmarks.do_nothing")
def do_nothing(told: SaleTold) -> None:
    pass


def domain_events_publish(count: int) -> None:
    with transaction.atomic():
        for _ in range(count):
            fire(SaleTold(order_id=str(uuid7()), amount=1900, currency="EUR"))


def domain_events_relay() -> None:
    drain_outbox()
