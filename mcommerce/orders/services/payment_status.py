"""An order's payment status, from the events of its payment: the page offers to pay only while it is open."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from eventbus import publish
from mcommerce.events import OrderPaymentStatusChanged
from mcommerce.orders.models import Order, OrderStep
from mcommerce.orders.services.order_steps import note

Kind, Status = OrderStep.Kind, Order.PaymentStatus


def note_opened(*, order_id: UUID) -> None:
    """Record that the order can be paid."""
    with transaction.atomic():
        _become(order_id, Status.OPEN, was=(Status.NOT_OPEN,))


def note_doubt(*, order_id: UUID, now: datetime) -> None:
    """Record that the order may be paid already, so that nobody pays it again."""
    with transaction.atomic():
        if _become(order_id, Status.IN_DOUBT, was=(Status.NOT_OPEN, Status.OPEN)):
            note(order_id, Kind.IN_DOUBT, now=now)


def note_doubt_cleared(*, order_id: UUID, now: datetime) -> None:
    """Record that the order was not paid so far, and can be paid."""
    with transaction.atomic():
        if _become(order_id, Status.OPEN, was=(Status.IN_DOUBT,)):
            note(order_id, Kind.DOUBT_CLEARED, now=now)


def _become(order_id: UUID, status: Order.PaymentStatus, *, was: Collection[Order.PaymentStatus]) -> bool:
    """Change the status of an order that awaits payment; return whether it changed."""
    waiting = Order.objects.filter(id=order_id, state=Order.State.AWAITING_PAYMENT, payment_status__in=was)
    changed = bool(waiting.update(payment_status=status, version=F("version") + 1))
    if changed:
        publish(OrderPaymentStatusChanged(order_id=order_id, status=status))
    return changed
