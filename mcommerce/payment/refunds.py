"""Giving money back: claimed, asked for, recorded. One refund id pays back once, however often it is asked for."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F

from eventbus import NotYet, failpoints, publish
from mcommerce.events import OrderRefundRequested, PaymentRefunded, PaymentRefundFailed
from mcommerce.payment import ledger
from mcommerce.payment.models import Payment, Refund
from mcommerce.payment.providers import provider_named
from mcommerce.payment.providers.base import Declined
from mcommerce.payment.settlement import lock_payment, raise_alarm


@dataclass(frozen=True)
class RefundAnswer:
    """What became of a refund: the company's id of it, or the code of its refusal."""

    provider_ref: str = ""
    code: str = ""


def send_refund(event: OrderRefundRequested, *, now: datetime) -> RefundAnswer:
    """Ask the company for the refund, with the refund's id as the key. Outside any transaction.

    Raises ProviderDown and ProviderTimeout: then it is asked again, with the same key.
    """
    with failpoints.atomic("payment.refund.claim"):
        refund = claim_refund(event, now=now)
    if refund.status != Refund.Status.REQUESTED:
        return RefundAnswer(provider_ref=refund.provider_ref, code=refund.code)
    provider = provider_named(refund.payment.provider)
    failpoints.hit("payment.refund")
    try:
        provider_ref = provider.refund(
            refund.payment.provider_ref,
            amount=refund.amount,
            currency=refund.currency,
            idempotency_key=f"refund-{refund.id}",
        )
    except Declined as declined:
        return RefundAnswer(code=declined.code)
    failpoints.hit("payment.refunded")
    return RefundAnswer(provider_ref=provider_ref)


def claim_refund(event: OrderRefundRequested, *, now: datetime) -> Refund:
    """The refund's row, with its money set aside, so that all refunds together never exceed what was captured.

    One that failed is asked for again: somebody decided so. In a transaction.
    """
    payment = _captured_payment(event.payment_id)
    known = Refund.objects.select_related("payment").filter(id=event.refund_id).first()
    if known is not None and known.status != Refund.Status.FAILED:
        return known
    set_aside = Payment.objects.filter(id=payment.id, captured__gte=F("refunded") + event.amount).update(
        refunded=F("refunded") + event.amount
    )
    asked = {"status": Refund.Status.REQUESTED, "code": ""}
    refused = {"status": Refund.Status.FAILED, "code": "exceeds_capture"}
    facts = {"amount": event.amount, "currency": event.currency, "reason": event.reason, "requested_at": now}
    refund, _new = Refund.objects.update_or_create(
        id=event.refund_id, defaults={"payment": payment, **facts, **(asked if set_aside else refused)}
    )
    return refund


def record_refund(event: OrderRefundRequested, answer: RefundAnswer, *, now: datetime) -> None:
    """Write down what became of the refund, and tell it. In the bus's transaction."""
    payment = lock_payment(id=event.payment_id)
    refund = Refund.objects.get(id=event.refund_id)
    about = {
        "refund_id": refund.id,
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "amount": refund.amount,
        "currency": refund.currency,
    }
    if answer.code:
        _fail(payment, refund, answer.code)
        publish(PaymentRefundFailed(**about, code=answer.code))
    elif refund.status == Refund.Status.REQUESTED:
        Refund.objects.filter(id=refund.id).update(status=Refund.Status.SUCCEEDED, provider_ref=answer.provider_ref)
        ledger.enter_refund(
            payment=payment, refund_id=refund.id, amount=refund.amount, currency=refund.currency, now=now
        )
        publish(PaymentRefunded(**about))


def _captured_payment(payment_id: UUID) -> Payment:
    try:
        payment = lock_payment(id=payment_id)
    except Payment.DoesNotExist:
        raise NotYet(f"there is no payment {payment_id} yet") from None
    if payment.status != Payment.Status.SUCCEEDED:
        raise NotYet(f"payment {payment.id} has captured nothing yet")
    return payment


def _fail(payment: Payment, refund: Refund, code: str) -> None:
    """The money stays with us: it is no longer set aside, and a person must look."""
    if refund.status == Refund.Status.REQUESTED:
        Refund.objects.filter(id=refund.id).update(status=Refund.Status.FAILED, code=code)
        Payment.objects.filter(id=payment.id).update(refunded=F("refunded") - refund.amount)
    raise_alarm(payment, f"refund {refund.id} failed: {code}")
