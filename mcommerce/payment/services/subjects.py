"""Payments as the operators' search finds them: who was charged, what went back, and what the provider was asked."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from eventbus.ids import text as id_text
from eventbus.journeys.search import identity
from eventbus.journeys.subjects import Answer, Fact, Subject, Tone
from mcommerce.money.template_filters import money
from mcommerce.payment.models import Attempt, LedgerEntry, Payment, Refund

PAYMENTS_MAX = 20  # with one reference
TONES: dict[str, Tone] = {Payment.Status.SUCCEEDED: "good", Payment.Status.UNKNOWN: "bad"}


def find(text: str) -> Iterator[Subject]:
    """Yield the payment with this id or provider's reference, or of the order with this id or number."""
    for payment in _payments().filter(pk__in=_named(text)):
        yield Subject(
            title=_("Payment of order %(number)s: %(status)s")
            % {"number": payment.order_number, "status": payment.get_status_display()},
            keys=(id_text(payment.order_id),),
            permission="payment.view_payment",
            page=reverse("admin:payment_payment_change", args=[payment.pk]),
            facts=tuple(_facts(payment)),
            answers=tuple(_answers(payment)),
        )


def _payments() -> "QuerySet[Payment]":
    return Payment.objects.prefetch_related("attempts", "changes", "entries", "refunds")


def _named(text: str) -> set[UUID]:
    """Return the ids of the payments that the text names. Each column has a query of its own, which uses its index."""
    if one := identity(text):
        return set(Payment.objects.filter(Q(pk=one) | Q(order_id=one)).values_list("pk", flat=True))
    found = set(Attempt.objects.filter(provider_ref=text).values_list("payment", flat=True)) if text else set()
    for name in ("order_number", "provider_ref"):
        payments = Payment.objects.alias(upper=Upper(name)).filter(upper=Upper(Value(text)))
        found |= set(payments.values_list("pk", flat=True)[:PAYMENTS_MAX])
    return found


# --- who was charged, and what went back ---------------------------------------------------------------------------


def _answers(payment: Payment) -> Iterator[Answer]:
    charged = [entry for entry in payment.entries.all() if entry.kind == LedgerEntry.Kind.CAPTURE]
    question = _("Who was charged?")
    if not charged:
        yield Answer(question, _nobody(payment), tone="waits" if _is_in_doubt(payment) else "")
    attempts = {attempt.id: attempt for attempt in payment.attempts.all()}
    for place, entry in enumerate(charged):
        attempt = attempts.get(entry.reference)
        reference = payment.provider_ref if place == 0 else attempt and attempt.provider_ref
        text = _charge(payment, entry, attempt, reference or "–")
        yield Answer(question, text, entry.created_at, payment.email, "bad" if place else "good")
    refunds = list(payment.refunds.all())
    for refund in refunds:
        yield _went_back(payment, refund)
    if charged and not refunds:
        yield Answer(_("What went back?"), _("Nothing: no refund was asked for."))
    if payment.alarm:
        yield Answer(_("Why must a person look at it?"), payment.alarm, tone="bad")


def _nobody(payment: Payment) -> str:
    """Return that nothing was captured, and why."""
    if _is_in_doubt(payment):
        return _("Nobody, as far as we know. The payment provider has not said yet whether it took the money.")
    attempts = list(payment.attempts.all())
    if any(one.is_open and one.url for one in attempts):
        return _("Nobody so far. A page to pay at is open.")
    if not attempts:
        return _("Nobody: nobody went to the payment page.")
    tries = ngettext(
        "Nobody: %(count)d payment page was opened, and none was paid.",
        "Nobody: %(count)d payment pages were opened, and none was paid.",
        len(attempts),
    )
    return tries % {"count": len(attempts)}


def _is_in_doubt(payment: Payment) -> bool:
    return payment.status == Payment.Status.UNKNOWN


def _charge(payment: Payment, entry: LedgerEntry, attempt: Attempt | None, reference: str) -> str:
    about = {
        "amount": money(entry.amount, entry.currency),
        "provider": payment.provider,
        "card": attempt.last4 if attempt and attempt.last4 else "–",
        "reference": reference,
    }
    return (
        _("The customer, %(amount)s: card ending in %(card)s, at %(provider)s, its reference: %(reference)s.") % about
    )


def _went_back(payment: Payment, refund: Refund) -> Answer:
    about = {"amount": money(refund.amount, refund.currency), "code": refund.code, "reference": refund.provider_ref}
    question = _("What went back?")
    if refund.status == Refund.Status.FAILED:
        return Answer(question, _("Nothing: the refund of %(amount)s failed (%(code)s).") % about, tone="bad")
    if refund.status == Refund.Status.REQUESTED:
        text = _("%(amount)s is asked for; the payment provider has not answered yet.") % about
        return Answer(question, text, refund.requested_at, tone="waits")
    booked = (one.created_at for one in payment.entries.all() if one.reference == refund.id)
    text = _("%(amount)s, the payment provider’s reference: %(reference)s.") % about
    if refund.amount == payment.captured:
        text = _("All of it: %(amount)s, the payment provider’s reference: %(reference)s.") % about
    return Answer(question, text, next(booked, None), tone="good")


# --- its history ---------------------------------------------------------------------------------------------------


def _facts(payment: Payment) -> Iterator[Fact]:
    for attempt in payment.attempts.all():
        about = {
            "provider": attempt.provider,
            "reference": attempt.provider_ref or "–",
            "outcome": attempt.get_outcome_display(),
        }
        text = _("Payment page at %(provider)s, its reference: %(reference)s, now: %(outcome)s") % about
        if attempt.code:
            text += " " + _("(last refusal: %(code)s)") % {"code": attempt.code}
        yield Fact(attempt.started_at, text)
    for change in payment.changes.all():
        text = _("Payment: %(status)s") % {"status": change.get_status_display()}
        yield Fact(change.changed_at, text, tone=TONES.get(change.status, ""))
    for entry in payment.entries.all():
        about = {"kind": entry.get_kind_display(), "amount": money(entry.amount, entry.currency)}
        yield Fact(entry.created_at, _("Ledger: %(kind)s %(amount)s") % about, tone="good")
    for refund in payment.refunds.all():
        yield _asked_back(refund)


def _asked_back(refund: Refund) -> Fact:
    about = {"amount": money(refund.amount, refund.currency), "status": refund.get_status_display()}
    text = _("Refund of %(amount)s asked for, now: %(status)s") % about
    if refund.code:
        text += f" ({refund.code})"
    return Fact(refund.requested_at, text, tone="bad" if refund.status == Refund.Status.FAILED else "")
