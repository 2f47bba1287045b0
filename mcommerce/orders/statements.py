"""The orders as they stand, for comparing; and repairs of what `manage.py reconcile` finds. Each may be done again."""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from eventbus import publish
from mcommerce.events import CancelReason, RefundReason
from mcommerce.orders import refunds, services, telling
from mcommerce.orders.models import Order, Refund

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 500  # orders in memory at a time, with their refunds
State = Order.State


@dataclass(frozen=True, kw_only=True)
class RefundStatement:
    """A refund as the orders know it."""

    id: UUID
    payment_id: UUID
    requested: bool  # and nothing was heard of it
    refunded: bool


@dataclass(frozen=True, kw_only=True)
class OrderStatement:
    """An order as it stands. `attended` says that a person looks at it already."""

    id: UUID
    number: str
    state: str
    total: int
    currency: str
    payment_id: UUID | None
    attended: bool
    refunds: dict[UUID, RefundStatement]

    @property
    def waits_for_money(self) -> bool:
        return self.state in services.WAITING

    @property
    def is_over(self) -> bool:
        return self.state == State.CANCELLED

    @property
    def is_paid(self) -> bool:
        """Paid, and not sent yet."""
        return self.state == State.PAID

    @property
    def was_paid(self) -> bool:
        return self.state in services.CAPTURED

    def knows(self, payment_id: UUID) -> bool:
        """Whether the order has taken this payment, or asked for its money to go back."""
        return self.payment_id == payment_id or any(one.payment_id == payment_id for one in self.refunds.values())


def of(order_ids: Collection[UUID]) -> dict[UUID, OrderStatement]:
    """These orders, by id; those that there are."""
    return {row.id: _statement(row) for row in _rows().filter(id__in=order_ids)}


def all_orders() -> Iterator[list[OrderStatement]]:
    """Every order, in batches."""
    last = None
    while rows := list(_rows().order_by("id").filter(**({"id__gt": last} if last else {}))[:ROWS_AT_ONCE]):
        yield [_statement(row) for row in rows]
        last = rows[-1].id


def _rows() -> QuerySet[Order]:
    return Order.objects.prefetch_related("refunds")


def _statement(order: Order) -> OrderStatement:
    return OrderStatement(
        id=order.id,
        number=order.number,
        state=order.state,
        total=order.total,
        currency=order.currency,
        payment_id=order.payment_id,
        attended=order.needs_attention,
        refunds={
            one.id: RefundStatement(
                id=one.id,
                payment_id=one.payment_id,
                requested=one.state == Refund.State.REQUESTED,
                refunded=one.state == Refund.State.REFUNDED,
            )
            for one in order.refunds.all()
        },
    )


# --- repairs -------------------------------------------------------------------------------------------------------


def ask_for_payment(*, order_id: UUID) -> None:
    """Say once more that an order waits for its money."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(id=order_id)
        if order.state in services.WAITING:
            publish(telling.awaiting_payment(order))


def tell_paid(*, order_id: UUID) -> None:
    """Say once more that an order is paid."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(id=order_id)
        if order.state == State.PAID:
            publish(telling.paid(order))


def ask_for_refund(*, refund_id: UUID) -> None:
    """Ask once more for a refund of which nothing was heard."""
    with transaction.atomic():
        refund = Refund.objects.select_for_update().get(id=refund_id)
        if refund.state == Refund.State.REQUESTED:
            publish(refunds.requested(refund))


def end_without_money(*, order_id: UUID, now: datetime) -> None:
    """All the money of an order went back, and the order does not know why: one that is not sent yet is cancelled.

    Of a sent one the refund is noted. Either way the payments find the money where it is and send none.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(id=order_id)
        if services.cancel_paid(order, CancelReason.STAFF, RefundReason.CANCELLED, now=now):
            return
        if order.payment_id is None or order.state not in services.CAPTURED:
            return
        services.publish_all(
            refunds.request_refund(
                order_id=order.id,
                payment_id=order.payment_id,
                amount=order.total,
                currency=order.currency,
                reason=RefundReason.RETURNED,
                now=now,
            )
        )


def call_a_person(*, order_id: UUID, why: str) -> None:
    """Have a person look at an order."""
    logger.error("Order %s needs a person: %s", order_id, why)
    Order.objects.filter(id=order_id).update(needs_attention=True)
