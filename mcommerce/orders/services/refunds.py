"""Refunds of orders: requested once per payment, then settled by the payment company's answer."""

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from eventbus import Permanent, publish
from mcommerce.events import OrderRefunded, OrderRefundFailed, OrderRefundRequested, RefundReason
from mcommerce.orders.models import OrderStep, Refund
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
    """Record that a payment's money goes back, inside the caller's transaction.

    Returns the event to publish; nothing when this payment's refund was requested before.
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
            publish(
                OrderRefunded(
                    order_id=refund.order_id, refund_id=refund.id, amount=refund.amount, currency=refund.currency
                )
            )


def fail(*, refund_id: UUID, code: str, now: datetime, number: int = 1) -> None:
    """Raise the alarm: the payment company refuses, and a person has to look.

    `number` is that of the answered request. An answer to an earlier request says nothing about the present one.
    """
    with transaction.atomic():
        refund = _move(refund_id, State.FAILED, was=(State.REQUESTED,), answers=number, code=code)
        if refund:
            logger.error("Refund %s of order %s failed: %s", refund.id, refund.order_id, code)
            note(refund.order_id, Kind.REFUND_FAILED, code, now=now, needs_attention=True)
            publish(
                OrderRefundFailed(
                    order_id=refund.order_id,
                    refund_id=refund.id,
                    amount=refund.amount,
                    currency=refund.currency,
                    code=code,
                )
            )


def ask_again(*, refund_id: UUID, by: UUID, now: datetime) -> bool:
    """Request a failed refund once more, with the same id, so that the money never goes back twice.

    Of two concurrent calls one does it: returns whether this one did.
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
    """Return the refund in its new state; None when its state does not lead there. `Permanent` when there is none.

    `answers`: move only while this is the number of the newest request.
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
    """Return the event that requests the refund, as it stands."""
    return OrderRefundRequested(
        order_id=refund.order_id,
        refund_id=refund.id,
        payment_id=refund.payment_id,
        amount=refund.amount,
        currency=refund.currency,
        reason=refund.reason,
        number=refund.number,
    )
