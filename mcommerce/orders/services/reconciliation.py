"""The present state of orders, for `manage.py reconcile`; and idempotent repairs of what it finds."""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from eventbus import publish
from mcommerce.events import CancelReason, RefundReason
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle, order_events, refunds

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 500  # orders in memory at a time, with their refunds
State = Order.State


@dataclass(frozen=True, kw_only=True)
class RefundStatement:
    """A refund as the orders know it."""

    id: UUID
    payment_id: UUID
    requested: bool  # and not answered
    refunded: bool


@dataclass(frozen=True, kw_only=True)
class OrderStatement:
    """An order at present. `attended` means that it is marked for staff already."""

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
        return self.state in lifecycle.WAITING

    @property
    def is_over(self) -> bool:
        return self.state == State.CANCELLED

    @property
    def is_paid(self) -> bool:
        """True when it is paid, and not sent yet."""
        return self.state == State.PAID

    @property
    def was_paid(self) -> bool:
        return self.state in lifecycle.CAPTURED

    def knows(self, payment_id: UUID) -> bool:
        """Return whether the order has taken this payment, or requested its refund."""
        return self.payment_id == payment_id or any(one.payment_id == payment_id for one in self.refunds.values())


def of(order_ids: Collection[UUID]) -> dict[UUID, OrderStatement]:
    """Return these orders, by id, as far as they exist."""
    return {row.id: _statement(row) for row in _rows().filter(id__in=order_ids)}


def all_orders() -> Iterator[list[OrderStatement]]:
    """Yield every order, in batches."""
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
    """Publish once more that an order awaits its payment."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(id=order_id)
        if order.state in lifecycle.WAITING:
            publish(order_events.awaiting_payment(order))


def tell_paid(*, order_id: UUID) -> None:
    """Publish once more that an order is paid."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(id=order_id)
        if order.state == State.PAID:
            publish(order_events.paid(order))


def ask_for_refund(*, refund_id: UUID) -> None:
    """Request once more a refund that got no answer."""
    with transaction.atomic():
        refund = Refund.objects.select_for_update().get(id=refund_id)
        if refund.state == Refund.State.REQUESTED:
            publish(refunds.requested(refund))


def end_without_money(*, order_id: UUID, now: datetime) -> None:
    """Cancel an unsent order that the provider has refunded in full by itself; record the refund of a sent one.

    Either way a refund is requested. The payments then find that the money is back already, and send none.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(id=order_id)
        if lifecycle.cancel_paid(order, CancelReason.STAFF, RefundReason.CANCELLED, now=now):
            return
        if order.payment_id is None or order.state not in lifecycle.CAPTURED:
            return
        lifecycle.publish_all(
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
    """Mark an order for staff to look at."""
    logger.error("Order %s needs a person: %s", order_id, why)
    Order.objects.filter(id=order_id).update(needs_attention=True)
