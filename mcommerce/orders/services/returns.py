"""Returns after dispatch: staff refund a sent order, and put its pieces back on the shelf.

The order keeps its state, sent or delivered. Its refund has a state of its own.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from eventbus import publish
from mcommerce.events import OrderReturned, RefundReason
from mcommerce.orders.models import Order, OrderStep
from mcommerce.orders.services import order_events, refunds
from mcommerce.orders.services.order_steps import note

SENT = (Order.State.SHIPPED, Order.State.DELIVERED)
Kind = OrderStep.Kind


def refund_sent(*, order_id: UUID, pieces_are_back: bool, by: UUID, now: datetime) -> bool:
    """Refund all that was paid for a sent order. Returns False if it was not sent, was free, or was refunded before.

    `pieces_are_back`: put its pieces back on the shelf too. `by`: the staff member who decided.
    """
    with transaction.atomic():
        order = _locked(order_id)
        if order.payment_id is None or not can_be_refunded(order):
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
    """Record that the pieces of a sent, refunded order can be sold again.

    Returns False, and changes nothing, if `can_be_put_back` is False.
    """
    with transaction.atomic():
        order = _locked(order_id)
        if not can_be_put_back(order):
            return False
        publish(*_put_back(order, by, now))
        return True


def can_be_refunded(order: Order) -> bool:
    """Return whether the order was sent and paid for, and no refund of that payment was requested."""
    if order.state not in SENT or order.payment_id is None or not order.total:
        return False
    return not _is_refunded(order)


def can_be_put_back(order: Order) -> bool:
    """Return whether the order was sent, is refunded or was free, and its pieces have not come back."""
    if order.state not in SENT:
        return False
    settled = not order.total or _is_refunded(order)
    return settled and not order.steps.filter(kind=Kind.RETURNED).exists()


def _is_refunded(order: Order) -> bool:
    return order.payment_id is not None and order.refunds.filter(payment_id=order.payment_id).exists()


def _locked(order_id: UUID) -> Order:
    """Return the order, locked until the transaction ends. The second of two concurrent decisions sees the first."""
    return Order.objects.select_for_update().get(id=order_id)


def _put_back(order: Order, by: UUID, now: datetime) -> list[OrderReturned]:
    note(order.id, Kind.RETURNED, now=now, by=by)
    return [order_events.returned(order)]
