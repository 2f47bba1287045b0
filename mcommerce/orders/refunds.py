"""Money that goes back: asked for once per payment, then settled by what the payment company answers."""

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from eventbus import Permanent, publish
from mcommerce.events import OrderRefunded, OrderRefundFailed, OrderRefundRequested, RefundReason
from mcommerce.orders.history import note
from mcommerce.orders.models import OrderStep, Refund

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
    """Note that a payment's money goes back, inside the caller's transaction.

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
    """Note that the money went back. `code` tells what is special about it, such as "already_refunded"."""
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

    `number` is that of the request which it answers. An answer to an earlier request says nothing of the present one.
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
    """Have a failed refund asked for once more, with the same id, so that it never goes back twice.

    Of two people who ask at the same time one does it: says whether this call did.
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
    """The refund in its new state; None when it is not in a state that leads there. `Permanent` when there is none.

    `answers`: only while this is the number of the newest request.
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
    """The event that asks for it, as it stands."""
    return OrderRefundRequested(
        order_id=refund.order_id,
        refund_id=refund.id,
        payment_id=refund.payment_id,
        amount=refund.amount,
        currency=refund.currency,
        reason=refund.reason,
        number=refund.number,
    )
