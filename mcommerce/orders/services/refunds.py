"""Refunds of orders: requested once per payment, then settled by the payment provider's answer."""

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from eventbus import Permanent, publish
from mcommerce.events import OrderRefundRequested, RefundReason
from mcommerce.orders.models import OrderStep, Refund
from mcommerce.orders.services import order_events
from mcommerce.orders.services.order_steps import note

logger = logging.getLogger(__name__)

Kind, State = OrderStep.Kind, Refund.State


def request_refund(
    *,
    order_id: UUID,
    payment_id: UUID,
    amount: int,
    currency: str,
    reason: RefundReason,
    now: datetime,
    by: UUID | None = None,
) -> list[OrderRefundRequested]:
    """Record that `amount` of a payment is to be refunded, in the caller's transaction.

    Returns the event to publish in a list, which is empty if the payment's refund was requested before. `by`: the staff
    member who decided.
    """
    refund, created = Refund.objects.get_or_create(
        payment_id=payment_id,
        defaults={"order_id": order_id, "amount": amount, "currency": currency, "reason": reason},
    )
    if not created:
        return []
    note(order_id, Kind.REFUND_REQUESTED, reason, now=now, by=by)
    return [requested(refund)]


def settle(*, refund_id: UUID, now: datetime, code: str = "") -> None:
    """Record that the money went back. `code` names a special case, such as "already_refunded"."""
    with transaction.atomic():
        refund = _move(refund_id, State.REFUNDED, was=(State.REQUESTED, State.FAILED), code=code)
        if refund:
            note(refund.order_id, Kind.REFUNDED, code, now=now)
            publish(order_events.refunded(refund, at=now))


def fail(*, refund_id: UUID, code: str, now: datetime, number: int = 1) -> None:
    """Record that the provider refused a refund, and mark the order for staff.

    `number`: the number of the request that was answered. Nothing changes if the refund was requested again since then.
    """
    with transaction.atomic():
        refund = _move(refund_id, State.FAILED, was=(State.REQUESTED,), answers=number, code=code)
        if refund:
            logger.error("Refund %s of order %s failed: %s", refund.id, refund.order_id, code)
            note(refund.order_id, Kind.REFUND_FAILED, code, now=now, needs_attention=True)
            publish(order_events.refund_failed(refund))


def ask_again(*, refund_id: UUID, by: UUID, now: datetime) -> bool:
    """Request a failed refund once more, with the same id, so that the money never goes back twice.

    Returns False if the refund is in another state. So of two concurrent calls only one requests it. `by`: the staff
    member who decided.
    """
    with transaction.atomic():
        refund = _move(refund_id, State.REQUESTED, was=(State.FAILED,), number=F("number") + 1, code="")
        if refund:
            note(refund.order_id, Kind.REFUND_REQUESTED, refund.reason, now=now, by=by)
            publish(requested(refund))
        return refund is not None


def _move(
    refund_id: UUID, to: Refund.State, *, was: tuple[Refund.State, ...], answers: int | None = None, **fields: Any
) -> Refund | None:
    """Move a refund from a state of `was` to `to`, and return it. Returns None if it is in another state.

    Raises Permanent if there is no such refund. `answers`: the number of the answered request; only an answer to the
    newest request moves the refund. `fields`: further columns to set.
    """
    guarded = Refund.objects.filter(id=refund_id, state__in=was)
    if answers is not None:
        guarded = guarded.filter(number=answers)
    if guarded.update(state=to, **fields):
        return Refund.objects.get(id=refund_id)
    if not Refund.objects.filter(id=refund_id).exists():
        raise Permanent(f"The orders asked for no refund {refund_id}.")
    return None


def requested(refund: Refund) -> OrderRefundRequested:
    """Return the event that requests the refund, from its present row."""
    return OrderRefundRequested(
        order_id=refund.order_id,
        refund_id=refund.id,
        payment_id=refund.payment_id,
        amount=refund.amount,
        currency=refund.currency,
        reason=refund.reason,
        number=refund.number,
    )
