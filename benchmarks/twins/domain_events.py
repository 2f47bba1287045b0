"""django-domain-events, made to do what we measure: hand what is in its outbox to who does nothing."""

from dataclasses import dataclass

from django.db import transaction
from django_domain_events import DURABLE, event, fire, receiver
from django_domain_events.delivery.drain_outbox import drain_outbox

from eventbus.ids import uuid7


@event(name="benchmarks.sale_told")
@dataclass(frozen=True, slots=True)
class SaleTold:
    order_id: str
    amount: int
    currency: str


@receiver(SaleTold, mode=DURABLE, key="benchmarks.do_nothing")
def do_nothing(told: SaleTold) -> None:
    pass


def publish(count: int) -> None:
    with transaction.atomic():
        for _ in range(count):
            fire(SaleTold(order_id=str(uuid7()), amount=1900, currency="EUR"))


def relay() -> None:
    drain_outbox()
