"""The recording of the payment provider's answers, from any source: webhook, return page, or a check.

Call these functions in a transaction. `settle` locks the payment's row first: of two concurrent calls with the same
state, the second changes nothing.
"""

import logging
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from eventbus import publish
from eventbus.tracing.continuing import continued
from mcommerce.events import (
    PaymentActionRequired,
    PaymentClosed,
    PaymentDoubtCleared,
    PaymentFailed,
    PaymentInDoubt,
    PaymentSucceeded,
)
from mcommerce.money import format_money
from mcommerce.payment.models import ARRIVES_FROM, ATTEMPTS_MAX, Attempt, Payment, StatusChange
from mcommerce.payment.providers.base import SessionState, SessionStatus
from mcommerce.payment.services import ledger

logger = logging.getLogger(__name__)

Status = Payment.Status


def lock_payment(**by: Any) -> Payment:
    """Return the payment, locked until the end of the transaction. Raises Payment.DoesNotExist."""
    return Payment.objects.select_for_update().get(**by)


def move(payment: Payment, to: Payment.Status, *, now: datetime, **fields: Any) -> bool:
    """Move the payment to a status that may follow its own. Returns False, and changes nothing, when it may not."""
    moved = Payment.objects.filter(id=payment.id, status__in=ARRIVES_FROM[to]).update(
        status=to, version=F("version") + 1, **fields
    )
    payment.refresh_from_db()
    if moved:
        StatusChange.objects.create(payment=payment, status=to, version=payment.version, changed_at=now)
    return bool(moved)


def settle(attempt: Attempt, state: SessionState, *, now: datetime) -> None:
    """Record the state of the attempt's session. An older state, or one after a final state, changes nothing."""
    payment = lock_payment(id=attempt.payment_id)
    attempt.refresh_from_db()
    with continued("payment answer", payment.trace):
        _settle(payment, attempt, state, now=now)


def _settle(payment: Payment, attempt: Attempt, state: SessionState, *, now: datetime) -> None:
    if not attempt.is_open or state.revision < attempt.revision:
        return
    is_news = state.revision > attempt.revision
    was = payment.status
    had_published_doubt = was == Status.UNKNOWN and bool(
        attempt.url
    )  # as in `become_unknown`; the answer may bring one
    _note(attempt, state)
    if state.status is SessionStatus.SUCCEEDED:
        _succeed(payment, attempt, state, now=now)
    elif is_news or payment.status == Status.UNKNOWN:
        _stand(payment, attempt, now=now)
        if is_news and payment.status != Status.CANCELLED:
            _tell(payment, attempt, now=now)
        if had_published_doubt and payment.status != Status.UNKNOWN:
            publish(PaymentDoubtCleared(payment_id=payment.id, order_id=payment.order_id))
    if was == Status.CANCELLED and _is_closed(attempt):
        publish(PaymentClosed(order_id=payment.order_id))


def _is_closed(attempt: Attempt) -> bool:
    return not attempt.is_open  # it was open at first: the type checker does not see that `_note` closes it


def _note(attempt: Attempt, state: SessionState) -> None:
    attempt.outcome = Attempt.Outcome(state.status)
    attempt.revision = state.revision
    attempt.provider_ref = state.ref or attempt.provider_ref
    attempt.url = state.url or attempt.url
    attempt.last4 = state.last4
    attempt.code = state.decline_code
    attempt.save(update_fields=["outcome", "revision", "provider_ref", "url", "last4", "code"])


def _succeed(payment: Payment, attempt: Attempt, state: SessionState, *, now: datetime) -> None:
    """Record the capture, even if the order was cancelled meanwhile: the orders then request a refund."""
    captured = F("captured") + state.amount
    ledger.enter_capture(payment=payment, attempt_id=attempt.id, amount=state.amount, currency=state.currency, now=now)
    if not move(payment, Status.SUCCEEDED, now=now, captured=captured, provider_ref=state.charge_ref):
        Payment.objects.filter(id=payment.id).update(captured=captured)
        raise_alarm(payment, charged_twice(state.charge_ref))
        return
    if (state.amount, state.currency) != (payment.amount, payment.currency):
        raise_alarm(payment, f"{format_money(state.amount, state.currency, 'en')} was charged")
    publish(succeeded(payment, amount=state.amount, currency=state.currency))


def succeeded(payment: Payment, *, amount: int, currency: str) -> PaymentSucceeded:
    """Return the event that a payment succeeded with this sum: for the first publication and a repeat."""
    return PaymentSucceeded(
        payment_id=payment.id,
        order_id=payment.order_id,
        amount=amount,
        currency=currency,
        provider=payment.provider,
        provider_ref=payment.provider_ref,
    )


def become_unknown(payment: Payment, attempt: Attempt, *, now: datetime) -> bool:
    """Set the payment's status to UNKNOWN. Publish it only if the attempt has a page, where somebody can have paid.

    Returns False, and changes nothing, if the payment was UNKNOWN already or has ended.
    """
    moved = move(payment, Status.UNKNOWN, now=now)
    if moved and attempt.url:
        publish(PaymentInDoubt(payment_id=payment.id, order_id=payment.order_id))
    return moved


def charged_twice(charge_ref: str) -> str:
    """Return the alarm about a charge for what was paid already."""
    return f"charged twice: {charge_ref}"


def raise_alarm(payment: Payment, why: str) -> None:
    """Mark the payment for staff to look at."""
    logger.error("Payment %s needs a person: %s", payment.id, why)
    Payment.objects.filter(id=payment.id).update(alarm=why)


def clear_alarm(payment: Payment, about: str) -> None:
    """Clear the payment's alarm if it is `about`, perhaps with a colon and details behind it. Another alarm stays."""
    ours = Q(alarm=about) | Q(alarm__startswith=f"{about}: ")
    Payment.objects.filter(ours, id=payment.id).update(alarm="")


def _stand(payment: Payment, attempt: Attempt, *, now: datetime) -> None:
    """Set the payment's status from its unpaid attempt."""
    if attempt.outcome == Attempt.Outcome.ACTION_REQUIRED:
        move(payment, Status.ACTION_REQUIRED, now=now)
    elif attempt.outcome == Attempt.Outcome.EXPIRED or attempt.code:
        move(payment, Status.NEW, now=now)
    else:
        move(payment, Status.PROCESSING, now=now)


def _tell(payment: Payment, attempt: Attempt, *, now: datetime) -> None:
    about = {"payment_id": payment.id, "order_id": payment.order_id}
    retryable = now < payment.expires_at and (attempt.is_open or payment.attempts.count() < ATTEMPTS_MAX)
    if attempt.outcome == Attempt.Outcome.ACTION_REQUIRED:
        publish(PaymentActionRequired(**about, code="approval_required", retryable=retryable))
    elif attempt.code:
        publish(PaymentFailed(**about, code=attempt.code, retryable=retryable))
    elif attempt.outcome == Attempt.Outcome.EXPIRED:
        publish(PaymentFailed(**about, code="session_expired", retryable=retryable))
