"""Payments as the operators' search finds them, with what the payment provider was asked and what was booked."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Q, Value
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.translation import gettext as _

from eventbus.ids import text as id_text
from eventbus.journeys.search import identity
from eventbus.journeys.subjects import Fact, Subject
from mcommerce.money.template_filters import money
from mcommerce.payment.models import Attempt, Payment

PAYMENTS_MAX = 20  # with one reference


def find(text: str) -> Iterator[Subject]:
    """Yield the payment with this id or provider's reference, or of the order with this id or number."""
    for payment in Payment.objects.filter(pk__in=_named(text)):
        yield Subject(
            title=_("Payment of order %(number)s: %(status)s")
            % {"number": payment.order_number, "status": payment.get_status_display()},
            keys=(id_text(payment.order_id),),
            permission="payment.view_payment",
            page=reverse("admin:payment_payment_change", args=[payment.pk]),
            facts=tuple(_facts(payment)),
        )


def _named(text: str) -> set[UUID]:
    """Return the ids of the payments that the text names. Each column has a query of its own, which uses its index."""
    if one := identity(text):
        return set(Payment.objects.filter(Q(pk=one) | Q(order_id=one)).values_list("pk", flat=True))
    found = set(Attempt.objects.filter(provider_ref=text).values_list("payment", flat=True)) if text else set()
    for name in ("order_number", "provider_ref"):
        payments = Payment.objects.alias(upper=Upper(name)).filter(upper=Upper(Value(text)))
        found |= set(payments.values_list("pk", flat=True)[:PAYMENTS_MAX])
    return found


def _facts(payment: Payment) -> Iterator[Fact]:
    for attempt in payment.attempts.all():
        about = {"provider": attempt.provider, "reference": attempt.provider_ref or "–"}
        yield Fact(attempt.started_at, _("Session at %(provider)s, its reference: %(reference)s") % about)
    for change in payment.changes.all():
        yield Fact(change.changed_at, _("Payment: %(status)s") % {"status": change.get_status_display()})
    for entry in payment.entries.all():
        about = {"kind": entry.get_kind_display(), "amount": money(entry.amount, entry.currency)}
        yield Fact(entry.created_at, _("Ledger: %(kind)s %(amount)s") % about)
    for refund in payment.refunds.all():
        about = {"amount": money(refund.amount, refund.currency), "status": refund.get_status_display()}
        yield Fact(refund.requested_at, _("Refund of %(amount)s asked for, now: %(status)s") % about)
