"""How a payment takes in what the payment company says, whoever brought it: webhook, return page, or a check.

Everything here belongs in the caller's transaction. The payment's row is locked first, so that two who bring the same
news come one after the other, and the second finds nothing new.
"""

import logging
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from eventbus import publish
from mcommerce.events import (
    PaymentActionRequired,
    PaymentClosed,
    PaymentDoubtCleared,
    PaymentFailed,
    PaymentInDoubt,
    PaymentSucceeded,
)
from mcommerce.money import format_money
from mcommerce.payment import ledger
from mcommerce.payment.models import ARRIVES_FROM, ATTEMPTS_MAX, Attempt, Payment, StatusChange
from mcommerce.payment.providers.base import SessionState, SessionStatus

logger = logging.getLogger(__name__)

Status = Payment.Status


def lock_payment(**by: Any) -> Payment:
    """The payment, until the end of the transaction ours alone. Raises Payment.DoesNotExist."""
    return Payment.objects.select_for_update().get(**by)


def move(payment: Payment, to: Payment.Status, *, now: datetime, **fields: Any) -> bool:
    """Move the payment to a status that may follow its own. False, and nothing changed, when it may not."""
    moved = Payment.objects.filter(id=payment.id, status__in=ARRIVES_FROM[to]).update(
        status=to, version=F("version") + 1, **fields
    )
    payment.refresh_from_db()
    if moved:
        StatusChange.objects.create(payment=payment, status=to, version=payment.version, changed_at=now)
    return bool(moved)


def settle(attempt: Attempt, state: SessionState, *, now: datetime) -> None:
    """Take in the state of the attempt's session. What is old news, or comes after a final answer, changes nothing."""
    payment = lock_payment(id=attempt.payment_id)
    attempt.refresh_from_db()
    if not attempt.is_open or state.revision < attempt.revision:
        return
    is_news = state.revision > attempt.revision
    was = payment.status
    told_of_doubt = was == Status.UNKNOWN and bool(attempt.url)  # as `become_unknown` decided; the answer may bring one
    _note(attempt, state)
    if state.status is SessionStatus.SUCCEEDED:
        _succeed(payment, attempt, state, now=now)
    elif is_news or payment.status == Status.UNKNOWN:
        _stand(payment, attempt, now=now)
        if is_news and payment.status != Status.CANCELLED:
            _tell(payment, attempt, now=now)
        if told_of_doubt and payment.status != Status.UNKNOWN:
            publish(PaymentDoubtCleared(payment_id=payment.id, order_id=payment.order_id))
    if was == Status.CANCELLED and not attempt.is_open:
        publish(PaymentClosed(order_id=payment.order_id))


def _note(attempt: Attempt, state: SessionState) -> None:
    attempt.outcome = Attempt.Outcome(state.status)
    attempt.revision = state.revision
    attempt.provider_ref = state.ref or attempt.provider_ref
    attempt.url = state.url or attempt.url
    attempt.last4 = state.last4
    attempt.code = state.decline_code
    attempt.save(update_fields=["outcome", "revision", "provider_ref", "url", "last4", "code"])


def _succeed(payment: Payment, attempt: Attempt, state: SessionState, *, now: datetime) -> None:
    """The money is taken, even if the order was cancelled meanwhile: whoever owns the order asks for it back."""
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
    """What is told of a payment that succeeded with this sum: the first time, and once more."""
    return PaymentSucceeded(
        payment_id=payment.id,
        order_id=payment.order_id,
        amount=amount,
        currency=currency,
        provider=payment.provider,
        provider_ref=payment.provider_ref,
    )


def become_unknown(payment: Payment, attempt: Attempt, *, now: datetime) -> bool:
    """The company does not say how the attempt stands. Told where somebody may have paid: who never saw a page has not.

    False, and nothing changed, when that was known, or the payment has ended.
    """
    moved = move(payment, Status.UNKNOWN, now=now)
    if moved and attempt.url:
        publish(PaymentInDoubt(payment_id=payment.id, order_id=payment.order_id))
    return moved


def charged_twice(charge_ref: str) -> str:
    """The alarm about a charge for what was paid already."""
    return f"charged twice: {charge_ref}"


def raise_alarm(payment: Payment, why: str) -> None:
    """Mark the payment for a person to look at."""
    logger.error("Payment %s needs a person: %s", payment.id, why)
    Payment.objects.filter(id=payment.id).update(alarm=why)


def clear_alarm(payment: Payment, about: str) -> None:
    """Take back the alarm about just this, with whatever it says of it behind a colon; another one stays."""
    ours = Q(alarm=about) | Q(alarm__startswith=f"{about}: ")
    Payment.objects.filter(ours, id=payment.id).update(alarm="")


def _stand(payment: Payment, attempt: Attempt, *, now: datetime) -> None:
    """Put the payment where its unpaid attempt stands."""
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
