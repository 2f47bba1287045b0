"""Refunds at the payment provider: each is claimed, requested and recorded. Repeats do not pay it back twice."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Sum

from eventbus import RetryLater, failpoints, publish
from mcommerce.events import OrderRefundRequested, PaymentRefunded, PaymentRefundFailed
from mcommerce.payment.models import Payment, Refund
from mcommerce.payment.providers import provider_named
from mcommerce.payment.providers.base import Declined, Provider
from mcommerce.payment.services import ledger
from mcommerce.payment.services.provider_answers import clear_alarm, lock_payment, raise_alarm

ALREADY_REFUNDED = "already_refunded"


@dataclass(frozen=True)
class RefundAnswer:
    """The outcome of a refund: the provider's id of it, or the code of its refusal.

    `already`: the money had gone back before the request. Then `provider_ref` is the id of the charge.
    """

    provider_ref: str = ""
    code: str = ""
    already: bool = False


def send_refund(event: OrderRefundRequested, *, now: datetime) -> RefundAnswer:
    """Request the refund from the provider, with an idempotency key from the refund's id. Outside any transaction.

    Raises ProviderDown and ProviderTimeout; a retry uses the same key.
    """
    with failpoints.atomic("payment.refund.claim"):
        refund = claim_refund(event, now=now)
    if refund.status != Refund.Status.REQUESTED:
        return RefundAnswer(provider_ref=refund.provider_ref, code=refund.code)
    provider = provider_named(refund.payment.provider)
    failpoints.hit("payment.refund")
    answer = _already_back(refund, provider) if refund.number > 1 else None
    answer = answer or _ask_for(refund, provider)
    failpoints.hit("payment.refunded")
    return answer


def _ask_for(refund: Refund, provider: Provider) -> RefundAnswer:
    """Call the provider. A later request has its own key, since providers repeat a refusal for the same key."""
    again = f"-{refund.number}" if refund.number > 1 else ""
    try:
        provider_ref = provider.refund(
            refund.payment.provider_ref,
            amount=refund.amount,
            currency=refund.currency,
            idempotency_key=f"refund-{refund.id}{again}",
        )
    except Declined as declined:
        return _already_back(refund, provider) or RefundAnswer(code=declined.code)
    return RefundAnswer(provider_ref=provider_ref)


def _already_back(refund: Refund, provider: Provider) -> RefundAnswer | None:
    """Return an answer if the provider refunded more than our refunds explain, by at least this one's sum; else None.

    Then somebody refunded the money at the provider, or an earlier request of this refund succeeded and its answer was
    lost.
    """
    charge_ref = refund.payment.provider_ref
    try:
        charge = provider.fetch_charge(charge_ref)
    except Declined:
        return None
    ours = refund.payment.refunds.filter(status=Refund.Status.SUCCEEDED).aggregate(Sum("amount"))["amount__sum"] or 0
    if charge.refunded - ours < refund.amount:
        return None
    return RefundAnswer(provider_ref=charge_ref, already=True)


def claim_refund(event: OrderRefundRequested, *, now: datetime) -> Refund:
    """Return the refund's row, and reserve its amount: refunds together never exceed the captured sum.

    If it would exceed that sum, the refund is FAILED. An event with a higher number than the row's requests a failed
    refund again. Call it in a transaction.
    """
    payment = _captured_payment(event.payment_id)
    known = Refund.objects.select_related("payment").filter(id=event.refund_id).first()
    if known is not None and (known.status != Refund.Status.FAILED or event.number <= known.number):
        return known
    set_aside = Payment.objects.filter(id=payment.id, captured__gte=F("refunded") + event.amount).update(
        refunded=F("refunded") + event.amount
    )
    asked = {"status": Refund.Status.REQUESTED, "code": ""}
    refused = {"status": Refund.Status.FAILED, "code": "exceeds_capture"}
    facts = {"amount": event.amount, "currency": event.currency, "reason": event.reason, "requested_at": now}
    facts |= {"payment": payment, "number": event.number, **(asked if set_aside else refused)}
    refund, _new = Refund.objects.update_or_create(id=event.refund_id, defaults=facts)
    return refund


def record_refund(event: OrderRefundRequested, answer: RefundAnswer, *, now: datetime) -> None:
    """Record the outcome of the refund, and publish it. In the bus's transaction."""
    refund, is_news = note_answer(event, answer, now=now)
    about: dict[str, Any] = {
        "refund_id": refund.id,
        "payment_id": refund.payment_id,
        "order_id": event.order_id,
        "amount": refund.amount,
        "currency": refund.currency,
        "reason": refund.reason,
    }
    if answer.code:
        publish(PaymentRefundFailed(**about, code=answer.code, number=event.number))
    elif is_news:
        publish(PaymentRefunded(**about, code=refund.code))


def note_answer(event: OrderRefundRequested, answer: RefundAnswer, *, now: datetime) -> tuple[Refund, bool]:
    """Record the outcome of the refund; return its row, and whether that was new. In the caller's transaction."""
    payment = lock_payment(id=event.payment_id)
    refund = Refund.objects.get(id=event.refund_id)
    is_news = refund.status == Refund.Status.REQUESTED
    if answer.code:
        _fail(payment, refund, answer.code)
    elif is_news:
        refund.status, refund.provider_ref = Refund.Status.SUCCEEDED, answer.provider_ref
        refund.code = ALREADY_REFUNDED if answer.already else ""
        refund.save(update_fields=["status", "provider_ref", "code"])
        ledger.enter_refund(
            payment=payment, refund_id=refund.id, amount=refund.amount, currency=refund.currency, now=now
        )
        clear_alarm(payment, _alarm(refund))
    return refund, is_news


def _captured_payment(payment_id: UUID) -> Payment:
    try:
        payment = lock_payment(id=payment_id)
    except Payment.DoesNotExist:
        raise RetryLater(f"there is no payment {payment_id} yet") from None
    if payment.status != Payment.Status.SUCCEEDED:
        raise RetryLater(f"payment {payment.id} has captured nothing yet")
    return payment


def _fail(payment: Payment, refund: Refund, code: str) -> None:
    """Record the refusal: the money is no longer set aside, and staff must look."""
    if refund.status == Refund.Status.REQUESTED:
        Refund.objects.filter(id=refund.id).update(status=Refund.Status.FAILED, code=code)
        Payment.objects.filter(id=payment.id).update(refunded=F("refunded") - refund.amount)
    raise_alarm(payment, f"{_alarm(refund)}: {code}")


def _alarm(refund: Refund) -> str:
    return f"refund {refund.id} failed"
