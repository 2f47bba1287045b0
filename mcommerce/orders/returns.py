"""After dispatch: the money of a sent order goes back, and its pieces go back on the shelf, as staff decides.

The order stays sent or delivered, for that is what happened to it; its refund has a state of its own.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from eventbus import publish
from mcommerce.events import OrderReturned, RefundReason
from mcommerce.orders import refunds
from mcommerce.orders.history import note
from mcommerce.orders.models import Order, OrderStep

SENT = (Order.State.SHIPPED, Order.State.DELIVERED)
Kind = OrderStep.Kind


def refund_sent(*, order_id: UUID, pieces_are_back: bool, by: UUID, now: datetime) -> bool:
    """Send back all that was paid for a sent order. Says whether it was one, and its money not asked for before.

    `pieces_are_back`: they can be sold again.
    """
    with transaction.atomic():
        order = _locked(order_id)
        if not can_be_refunded(order):
            return False
        requested = refunds.request_refund(
            order_id=order.id,
            payment_id=order.payment_id,
            amount=order.total,
            currency=order.currency,
            reason=RefundReason.RETURNED,
            now=now,
            by=by,
        )
        publish(*requested, *(_put_back(order, by, now) if pieces_are_back else []))
        return True


def put_back(*, order_id: UUID, by: UUID, now: datetime) -> bool:
    """The pieces of a sent, refunded order can be sold again. Says whether it was one, and this not said before."""
    with transaction.atomic():
        order = _locked(order_id)
        if not can_be_put_back(order):
            return False
        publish(*_put_back(order, by, now))
        return True


def can_be_refunded(order: Order) -> bool:
    """Sent, paid for with something, and that money not on its way back yet."""
    if order.state not in SENT or order.payment_id is None or not order.total:
        return False
    return not order.refunds.filter(payment_id=order.payment_id).exists()


def can_be_put_back(order: Order) -> bool:
    """Sent, its money asked back or nothing paid, and its pieces still out."""
    if order.state not in SENT:
        return False
    settled = not order.total or order.refunds.filter(payment_id=order.payment_id).exists()
    return settled and not order.steps.filter(kind=Kind.RETURNED).exists()


def _locked(order_id: UUID) -> Order:
    """Until the transaction ends, so that of two who decide the second sees what the first did."""
    return Order.objects.select_for_update().get(id=order_id)


def _put_back(order: Order, by: UUID, now: datetime) -> list[OrderReturned]:
    note(order.id, Kind.RETURNED, now=now, by=by)
    return [OrderReturned(order_id=order.id)]
