"""Whether an order can be paid just now, as its payment tells it: the page offers to pay only then."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from eventbus import publish
from mcommerce.events import OrderPaymentStatusChanged
from mcommerce.orders.history import note
from mcommerce.orders.models import Order, OrderStep

Kind, Status = OrderStep.Kind, Order.PaymentStatus


def note_opened(*, order_id: UUID) -> None:
    """It can be paid."""
    with transaction.atomic():
        _become(order_id, Status.OPEN, was=(Status.NOT_OPEN,))


def note_doubt(*, order_id: UUID, now: datetime) -> None:
    """Nobody knows whether it was paid: it must not be paid again."""
    with transaction.atomic():
        if _become(order_id, Status.IN_DOUBT, was=(Status.NOT_OPEN, Status.OPEN)):
            note(order_id, Kind.IN_DOUBT, now=now)


def note_doubt_cleared(*, order_id: UUID, now: datetime) -> None:
    """It was not paid so far, and can be."""
    with transaction.atomic():
        if _become(order_id, Status.OPEN, was=(Status.IN_DOUBT,)):
            note(order_id, Kind.DOUBT_CLEARED, now=now)


def _become(order_id: UUID, status: Order.PaymentStatus, *, was: Collection[Order.PaymentStatus]) -> bool:
    """Only of an order that waits for its money: what ended stays as it is."""
    waiting = Order.objects.filter(id=order_id, state=Order.State.AWAITING_PAYMENT, payment_status__in=was)
    changed = bool(waiting.update(payment_status=status, version=F("version") + 1))
    if changed:
        publish(OrderPaymentStatusChanged(order_id=order_id, status=status))
    return changed
