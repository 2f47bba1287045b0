"""Repairs of what `manage.py reconcile` finds. Each is idempotent."""

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from eventbus import publish
from eventbus.ids import uuid7
from mcommerce.events import OrderRefundRequested, PaymentRefunded, PaymentRefundFailed
from mcommerce.payment.models import Attempt, LedgerEntry, Payment, Refund
from mcommerce.payment.providers import provider_named
from mcommerce.payment.providers.base import Charge, Declined, SessionState
from mcommerce.payment.services import ledger, refunds
from mcommerce.payment.services.payments import OPEN_OUTCOMES, open_payment, settle_session
from mcommerce.payment.services.provider_answers import (
    charged_twice,
    clear_alarm,
    lock_payment,
    raise_alarm,
    settle,
    succeeded,
)
from mcommerce.payment.services.provider_sessions import current_state

logger = logging.getLogger(__name__)

ALARM_LENGTH = 200  # characters, as the column holds them
NO_ORDER = "no_order"  # the reason of a refund that no order requested


def take_in(*, provider: str, session_ref: str, now: datetime) -> None:
    """Fetch the state of a session that the payments know, and record it.

    If the payment was paid by another charge, the session's charge is refunded. Raises ProviderError, UnknownSession.
    """
    state = provider_named(provider).fetch_session(session_ref)
    settle_session(provider=provider, state=state, now=now)
    payment = Payment.objects.get(attempts__provider=provider, attempts__provider_ref=session_ref)
    if state.charge_ref and payment.status == Payment.Status.SUCCEEDED and payment.provider_ref != state.charge_ref:
        charge = provider_named(provider).fetch_charge(state.charge_ref)
        give_back_second(provider=provider, charge=charge, payment_id=payment.id, now=now)


def adopt(*, provider: str, charge: Charge, payment_id: UUID, now: datetime) -> None:
    """Record a charge in a session that our tables lack: it was opened after the backup that we restored.

    If another session of the payment is still open, the payment is marked for staff. If another charge has paid it
    meanwhile, this one is refunded. Raises ProviderError.
    """
    payment = Payment.objects.get(id=payment_id)
    attempt = payment.attempts.select_related("payment").filter(outcome__in=OPEN_OUTCOMES).first()
    if attempt is not None:
        state = current_state(attempt, provider_named(provider))
        with transaction.atomic():
            settle(attempt, state, now=now)
    if Attempt.objects.filter(provider=provider, provider_ref=charge.session_ref).exists():
        return
    state = provider_named(provider).fetch_session(charge.session_ref)
    with transaction.atomic():
        payment = lock_payment(id=payment_id)
        if Attempt.objects.filter(provider=provider, provider_ref=charge.session_ref).exists():
            return  # recorded by another process meanwhile
        is_second = payment.status == Payment.Status.SUCCEEDED
        if not is_second:
            _adopt(payment, provider, charge, state, now=now)
    if is_second:
        give_back_second(provider=provider, charge=charge, payment_id=payment_id, now=now)


def open_and_adopt(*, provider: str, charge: Charge, order_id: UUID, order_number: str, now: datetime) -> None:
    """Record a charge of an order that has no payment here; a cancelled order then refunds it. See `adopt`."""
    open_payment(
        order_id=order_id, amount=charge.amount, currency=charge.currency, expires_at=now, order_number=order_number
    )
    payment = Payment.objects.get(order_id=order_id)
    adopt(provider=provider, charge=charge, payment_id=payment.id, now=now)


def _adopt(payment: Payment, provider: str, charge: Charge, state: SessionState, *, now: datetime) -> None:
    """Record the charge, in the transaction that has locked the payment."""
    if payment.attempts.filter(outcome__in=OPEN_OUTCOMES).exists():
        raise_alarm(payment, f"charged in a session that we do not know: {charge.ref}")
        return
    adopted = Attempt.objects.create(
        payment=payment,
        provider=provider,
        provider_ref=charge.session_ref,
        site_url=settings.SITE_URL,
        language=settings.LANGUAGE_CODE,
        started_at=charge.charged_at,
    )
    settle(adopted, state, now=now)


def give_back(*, provider: str, charge: Charge) -> None:
    """Refund the rest of a charge that pays for nothing here. Raises ProviderError."""
    left = charge.amount - charge.refunded
    if not left:
        return
    key = f"reconcile-{charge.ref}-{charge.refunded}"
    try:
        provider_named(provider).refund(charge.ref, amount=left, currency=charge.currency, idempotency_key=key)
    except Declined as declined:
        if declined.code != refunds.ALREADY_REFUNDED:
            raise
    logger.warning("Charge %s pays for nothing here: %d %s sent back", charge.ref, left, charge.currency)


def give_back_second(*, provider: str, charge: Charge, payment_id: UUID, now: datetime) -> None:
    """Refund the rest of `charge`, a second charge for a payment that is already paid.

    Reverse its capture in our ledger, if entered. If the provider has meanwhile refunded more of the first charge than
    we know, refund nothing and mark the payment: staff decide which charge stays. Raises ProviderError.
    """
    payment = Payment.objects.get(id=payment_id)
    paid_by = provider_named(provider).fetch_charge(payment.provider_ref)
    if paid_by.refunded > payment.refunded:
        mark(payment_id=payment_id, why=f"charged-twice: {which_stays(charge.ref, paid_by.ref)}")
        return
    give_back(provider=provider, charge=charge)
    with transaction.atomic():
        payment = lock_payment(id=payment_id)
        attempt = payment.attempts.filter(provider=provider, provider_ref=charge.session_ref).first()
        if attempt is not None and charge.session_ref != paid_by.session_ref:
            _take_out(payment, attempt, now=now)
        clear_alarm(payment, charged_twice(charge.ref))


def _take_out(payment: Payment, attempt: Attempt, *, now: datetime) -> None:
    """Reverse an attempt's capture in our ledger. A repeat changes nothing."""
    entered = LedgerEntry.objects.filter(reference=attempt.id)
    capture = entered.filter(kind=LedgerEntry.Kind.CAPTURE).first()
    if capture is None or entered.filter(kind=LedgerEntry.Kind.REFUND).exists():
        return
    Payment.objects.filter(id=payment.id).update(captured=F("captured") - capture.amount)
    ledger.enter_refund(
        payment=payment, refund_id=attempt.id, amount=capture.amount, currency=capture.currency, now=now
    )


def send_back(*, payment_id: UUID, now: datetime) -> None:
    """Refund what a payment holds for an order that does not exist. Publishes nothing. Raises ProviderError."""
    payment = Payment.objects.get(id=payment_id)
    open_one = payment.refunds.filter(reason=NO_ORDER).exclude(status=Refund.Status.SUCCEEDED).first()
    left = open_one.amount if open_one else payment.captured - payment.refunded
    if left <= 0:
        return
    request = OrderRefundRequested(
        order_id=payment.order_id,
        refund_id=open_one.id if open_one else uuid7(),
        payment_id=payment.id,
        amount=left,
        currency=payment.currency,
        reason=NO_ORDER,
        number=open_one.number + 1 if open_one and open_one.status == Refund.Status.FAILED else 1,
    )
    answer = refunds.send_refund(request, now=now)
    with transaction.atomic():
        refunds.note_answer(request, answer, now=now)
    if answer.code:
        raise Declined(answer.code)


def tell_success(*, payment_id: UUID) -> None:
    """Publish once more that a payment succeeded."""
    with transaction.atomic():
        payment = lock_payment(id=payment_id)
        taken = payment.entries.filter(kind=LedgerEntry.Kind.CAPTURE).first()
        if payment.status == Payment.Status.SUCCEEDED and taken is not None:
            publish(succeeded(payment, amount=taken.amount, currency=taken.currency))


def tell_refund(*, refund_id: UUID) -> None:
    """Publish once more the outcome of a refund."""
    with transaction.atomic():
        refund = Refund.objects.select_related("payment").get(id=refund_id)
        about: dict[str, Any] = {
            "refund_id": refund.id,
            "payment_id": refund.payment_id,
            "order_id": refund.payment.order_id,
            "amount": refund.amount,
            "currency": refund.currency,
            "reason": refund.reason,
            "code": refund.code,
        }
        if refund.status == Refund.Status.SUCCEEDED:
            publish(PaymentRefunded(**about))
        elif refund.status == Refund.Status.FAILED:
            publish(PaymentRefundFailed(**about, number=refund.number))


def which_stays(charge_ref: str, given_back: str) -> str:
    """Return the question for staff when a payment was charged twice, and the provider refunded what paid it."""
    return f"the payment provider gave {given_back} back: does {charge_ref} stay?"


def mark(*, payment_id: UUID, why: str) -> None:
    """Mark a payment for staff to look at."""
    with transaction.atomic():
        raise_alarm(lock_payment(id=payment_id), alarm(why))


def alarm(why: str) -> str:
    """Return the alarm of `mark`, cut to what its column holds."""
    return why[:ALARM_LENGTH]
