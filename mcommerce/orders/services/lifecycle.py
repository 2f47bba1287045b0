"""The transitions of an order: placed, paid, sent, or cancelled. Each function is one transition, in one transaction.

Events of different topics arrive in any order and more than once. So each transition names the states from which it
starts. In any other state it changes nothing, or raises `RetryLater` if the event of an earlier step is still to come.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from eventbus import Event, Permanent, RetryLater, publish
from mcommerce.events import (
    CancelReason,
    OrderConfirmationAsked,
    OrderOverdue,
    OrderOverdueCheck,
    OrderPaymentDeclined,
    OrderRefundRequested,
    RefundReason,
    Shortage,
)
from mcommerce.orders.carts.cart_return import GIVEN_BACK, give_back, note_shortages
from mcommerce.orders.models import Order, OrderStep
from mcommerce.orders.services import order_events, refunds
from mcommerce.orders.services.order_steps import move, note

logger = logging.getLogger(__name__)

Kind, State = OrderStep.Kind, Order.State
WAITING = (State.AWAITING_PAYMENT, State.CLOSING)  # for a payment
UNPAID = (State.PLACED, *WAITING)
CAPTURED = (State.PAID, State.SHIPPED, State.DELIVERED)
CLOSING_HOURS = 1  # after that, staff ask the payment provider how the payment ended


# --- stock ---------------------------------------------------------------------------------------------------------


def await_payment(*, order_id: UUID, now: datetime) -> None:
    """Open an order for payment, once its stock is reserved. One that costs nothing is paid at once."""
    with transaction.atomic():
        if not move(order_id, State.AWAITING_PAYMENT, was=(State.PLACED,), step=Kind.RESERVED, now=now):
            return
        order = Order.objects.get(id=order_id)
        if order.total == 0:
            _pay(order_id, None, 0, order.currency, now)
            return
        publish(order_events.awaiting_payment(order))


def reject_for_stock(*, order_id: UUID, shortages: Iterable[Shortage] = (), now: datetime) -> None:
    """Cancel an unpaid order for lack of stock, and put its lines back into the cart."""
    with transaction.atomic():
        if _cancel(order_id, CancelReason.STOCK_REJECTED, was=(State.PLACED,), now=now):
            note_shortages(order_id, shortages)


def lose_stock(*, order_id: UUID, now: datetime) -> None:
    """Cancel and refund a paid order whose goods are gone. If it is sent already, mark it for staff."""
    with transaction.atomic():
        order = _existing(order_id)
        if order.state in UNPAID:
            raise RetryLater(f"Order {order_id} is not known to be paid yet.")
        if cancel_paid(order, CancelReason.STOCK_LOST, RefundReason.STOCK_LOST, now=now):
            return
        if order.state in CAPTURED:
            logger.error("Order %s was sent, but its stock could not be taken.", order_id)
            Order.objects.filter(id=order_id).update(needs_attention=True)


# --- payment -------------------------------------------------------------------------------------------------------


def take_payment(*, order_id: UUID, payment_id: UUID, amount: int, currency: str, now: datetime) -> None:
    """Mark the order as paid if it awaits just this sum; otherwise send the money back, once."""
    with transaction.atomic():
        if _pay(order_id, payment_id, amount, currency, now):
            return
        # It lost a race, or the sum is wrong. The lock keeps the order as it is until the decision is written.
        order = Order.objects.select_for_update().filter(id=order_id).first() or _existing(order_id)
        if order.payment_id == payment_id:
            return
        publish_all(_send_back(order, payment_id, amount, currency, now))


def ask_confirmation(*, order_id: UUID, payment_id: UUID, now: datetime) -> None:
    """Record that the bank asks the customer to confirm, while the order awaits its payment."""
    with transaction.atomic():
        if _still_waiting(order_id, Kind.CONFIRMATION_ASKED, now=now):
            publish(OrderConfirmationAsked(order_id=order_id, payment_id=payment_id))


def note_decline(*, order_id: UUID, payment_id: UUID, code: str, retryable: bool, now: datetime) -> None:
    """Record that a try to pay failed, while the order waits: its page says so and offers another try, if any."""
    with transaction.atomic():
        if _still_waiting(order_id, Kind.DECLINED, code, now=now):
            if not retryable:
                Order.objects.filter(id=order_id).update(payment_status=Order.PaymentStatus.TRIED_OUT)
            publish(OrderPaymentDeclined(order_id=order_id, payment_id=payment_id, code=code, retryable=retryable))


# --- endings -------------------------------------------------------------------------------------------------------


def expire(*, order_id: UUID, now: datetime) -> None:
    """Apply the deadline: cancel an order that nobody could pay; else close its payment first."""
    with transaction.atomic():
        if _cancel(order_id, CancelReason.PAYMENT_TIMEOUT, was=(State.PLACED,), now=now):
            return
        if move(order_id, State.CLOSING, was=(State.AWAITING_PAYMENT,), step=Kind.OVERDUE, now=now):
            publish(OrderOverdue(order_id=order_id))
            publish(OrderOverdueCheck(order_id=order_id), due=now + timedelta(hours=CLOSING_HOURS))


def call_about_overdue(*, order_id: UUID) -> None:
    """Mark an overdue order for staff if its payment is not closed by now. Staff then ask the payment provider."""
    late = Order.objects.filter(id=order_id, state=State.CLOSING, needs_attention=False)
    if late.update(needs_attention=True):
        logger.error("Order %s waits for the payment provider, which does not say whether it is paid.", order_id)


def end_overdue(*, order_id: UUID, now: datetime) -> None:
    """Cancel an overdue, unpaid order, once nothing more will be taken for it."""
    _cancel(order_id, CancelReason.PAYMENT_TIMEOUT, was=(State.CLOSING,), now=now)


def cancel_by_customer(*, order_id: UUID, now: datetime) -> bool:
    """Cancel an order for its customer. Returns False, and changes nothing, once it is paid or cancelled."""
    return _cancel(order_id, CancelReason.CUSTOMER, was=UNPAID, now=now)


def cancel_by_staff(*, order_id: UUID, by: UUID, now: datetime) -> bool:
    """Cancel an order for staff, and refund it if it is paid.

    Returns False, and changes nothing, once it is sent or cancelled.
    """
    if _cancel(order_id, CancelReason.STAFF, was=UNPAID, now=now, by=by):
        return True
    with transaction.atomic():
        return cancel_paid(_existing(order_id), CancelReason.STAFF, RefundReason.CANCELLED, now=now, by=by)


def ship(*, order_id: UUID, carrier: str, tracking: str, by: UUID, now: datetime) -> bool:
    """Mark a paid order as sent. Returns False, and changes nothing, if it is in another state."""
    with transaction.atomic():
        sent = {"carrier": carrier, "tracking": tracking}
        moved = move(
            order_id, State.SHIPPED, was=(State.PAID,), step=Kind.SHIPPED, detail=tracking, now=now, by=by, **sent
        )
        if moved:
            publish(order_events.shipped(Order.objects.get(id=order_id), at=now))
        return moved


def deliver(*, order_id: UUID, by: UUID, now: datetime) -> bool:
    """Mark a sent order as delivered. Returns False, and changes nothing, if it is in another state."""
    with transaction.atomic():
        moved = move(order_id, State.DELIVERED, was=(State.SHIPPED,), step=Kind.DELIVERED, now=now, by=by)
        if moved:
            publish(order_events.delivered(Order.objects.get(id=order_id)))
        return moved


def note_look(*, order_id: UUID, by: UUID, now: datetime) -> bool:
    """Record that staff have looked at an order that was marked for them. Returns False if it was not marked."""
    with transaction.atomic():
        called = Order.objects.filter(id=order_id, needs_attention=True).update(needs_attention=False)
        if called:
            note(order_id, Kind.LOOKED_AT, now=now, by=by)
        return bool(called)


def note_mail(*, order_id: UUID, name: str, now: datetime) -> None:
    """Record that the customer got a mail."""
    with transaction.atomic():
        note(order_id, Kind.MAILED, name, now=now)


# --- how -----------------------------------------------------------------------------------------------------------


def _existing(order_id: UUID) -> Order:
    try:
        return Order.objects.get(id=order_id)
    except Order.DoesNotExist:
        raise Permanent(f"There is no order {order_id}.") from None


def _pay(order_id: UUID, payment_id: UUID | None, amount: int, currency: str, now: datetime) -> bool:
    """Mark the order as paid if it awaits just this sum, in its own currency. A free order has no payment."""
    fitting = Order.objects.filter(id=order_id, total=amount, currency=currency)
    if not fitting.exists() or not move(
        order_id, State.PAID, was=WAITING, step=Kind.PAID, now=now, payment_id=payment_id
    ):
        return False
    publish(order_events.paid(Order.objects.get(id=order_id)))
    return True


def _send_back(order: Order, payment_id: UUID, amount: int, currency: str, now: datetime) -> list[Event]:
    """Request a refund of money that the order cannot take. Mark the order if that money was taken by a fault."""
    fits = (amount, currency) == (order.total, order.currency)
    if order.state == State.PLACED or (order.state in WAITING and fits):
        raise RetryLater(f"Order {order.id} is {order.state}: it may be paid once its stock is set aside.")
    if not fits:
        reason = RefundReason.AMOUNT_MISMATCH
    elif order.state == State.CANCELLED:
        reason = RefundReason.PAID_AFTER_CANCELLATION
    else:
        reason = RefundReason.PAID_TWICE
    if reason != RefundReason.PAID_AFTER_CANCELLATION:  # that one is bad luck, the others are a fault somewhere
        logger.error("Payment %s of order %s goes back: %s", payment_id, order.id, reason)
        Order.objects.filter(id=order.id).update(needs_attention=True)
    return list(
        refunds.request_refund(
            order_id=order.id, payment_id=payment_id, amount=amount, currency=currency, reason=reason, now=now
        )
    )


def _still_waiting(order_id: UUID, step: OrderStep.Kind, detail: str = "", *, now: datetime) -> bool:
    """Record a step of an order that awaits its payment. Returns False, and records nothing, if it does not."""
    return move(order_id, State.AWAITING_PAYMENT, was=(State.AWAITING_PAYMENT,), step=step, detail=detail, now=now)


def _cancel(
    order_id: UUID, reason: CancelReason, *, was: tuple[Order.State, ...], now: datetime, by: UUID | None = None
) -> bool:
    with transaction.atomic():
        moved = move(
            order_id, State.CANCELLED, was=was, step=Kind.CANCELLED, detail=reason, now=now, by=by, cancel_reason=reason
        )
        if moved and reason in GIVEN_BACK:
            give_back(order_id, now=now)
        if moved:
            publish(order_events.cancelled(Order.objects.get(id=order_id)))
        return moved


def cancel_paid(
    order: Order, reason: CancelReason, refund_reason: RefundReason, *, now: datetime, by: UUID | None = None
) -> bool:
    """Cancel a paid order and request its refund, in the caller's transaction. Returns False if it is not paid."""
    moved = move(
        order.id,
        State.CANCELLED,
        was=(State.PAID,),
        step=Kind.CANCELLED,
        detail=reason,
        now=now,
        by=by,
        cancel_reason=reason,
    )
    if not moved:
        return False
    paid = Order.objects.get(id=order.id)
    publish(order_events.cancelled(paid), *_refund_all(paid, refund_reason, now=now, by=by))
    return True


def _refund_all(paid: Order, reason: RefundReason, *, now: datetime, by: UUID | None) -> list[OrderRefundRequested]:
    """Request a refund of all that was paid, and return the events to publish: none for a free order."""
    if paid.payment_id is None:
        return []
    return refunds.request_refund(
        order_id=paid.id,
        payment_id=paid.payment_id,
        amount=paid.total,
        currency=paid.currency,
        reason=reason,
        now=now,
        by=by,
    )


def publish_all(events: Iterable[Event]) -> None:
    """Publish the events in one statement, if there are any."""
    told = list(events)
    if told:
        publish(*told)
