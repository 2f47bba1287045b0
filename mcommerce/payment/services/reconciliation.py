"""The present state of payments, and the charges that the provider reports, for reconciliation."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from mcommerce.payment.models import Attempt, LedgerEntry, Payment, Refund
from mcommerce.payment.providers import provider_named
from mcommerce.payment.providers.base import Charge, Declined

ROWS_AT_ONCE = 500  # payments in memory at a time, with their refunds


@dataclass(frozen=True, kw_only=True)
class RefundStatement:
    """A refund as the payments know it."""

    id: UUID
    status: str
    amount: int

    @property
    def succeeded(self) -> bool:
        return self.status == Refund.Status.SUCCEEDED

    @property
    def failed(self) -> bool:
        return self.status == Refund.Status.FAILED


@dataclass(frozen=True, kw_only=True)
class PaymentStatement:
    """A payment at present. `alarm`: the reason why it is marked for staff; empty if it is not."""

    id: UUID
    order_id: UUID
    order_number: str
    status: str
    captured: int
    currency: str
    provider: str
    charge_ref: str
    alarm: str
    refunds: dict[UUID, RefundStatement]

    @property
    def succeeded(self) -> bool:
        return self.status == Payment.Status.SUCCEEDED

    @property
    def cancelled(self) -> bool:
        return self.status == Payment.Status.CANCELLED

    @property
    def given_back(self) -> int:
        """The sum that certainly went back."""
        return sum(one.amount for one in self.refunds.values() if one.succeeded)


@dataclass(frozen=True, kw_only=True)
class SessionStatement:
    """An attempt's session at present, and its payment."""

    is_open: bool  # a charge in it can still be recorded
    captured: int | None  # the charge in it, by our ledger; None: nothing
    payment: PaymentStatement


def charges(provider: str) -> Iterator[list[Charge]]:
    """Yield everything that the provider ever charged, oldest first, in pages. Raises ProviderError."""
    after, more = "", True
    while more:
        page, more = provider_named(provider).charges(after=after)  # each page has its own deadline
        if page:
            after = page[-1].ref
            yield page


def charge_of(payment: PaymentStatement) -> Charge | None:
    """Return the provider's charge that paid it; None if there is none. Raises ProviderError without an answer."""
    try:
        return provider_named(payment.provider).fetch_charge(payment.charge_ref) if payment.succeeded else None
    except Declined:
        return None


def of_sessions(provider: str, refs: Iterable[str]) -> dict[str, SessionStatement]:
    """Return what is known of these sessions, by the provider's id of each."""
    attempts = Attempt.objects.filter(provider=provider, provider_ref__in=list(refs)).select_related("payment")
    found = list(attempts.prefetch_related("payment__refunds"))
    entered = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.CAPTURE, reference__in=[one.id for one in found])
    captured = dict(entered.values_list("reference", "amount"))
    return {
        one.provider_ref: SessionStatement(
            is_open=one.is_open, captured=captured.get(one.id), payment=_statement(one.payment)
        )
        for one in found
    }


def of_orders(order_ids: Collection[UUID]) -> dict[UUID, PaymentStatement]:
    """Return the payments of these orders, by order."""
    return {one.order_id: _statement(one) for one in _rows().filter(order_id__in=order_ids)}


def all_payments() -> Iterator[list[PaymentStatement]]:
    """Yield every payment, in batches."""
    last = None
    while rows := list(_rows().order_by("id").filter(**({"id__gt": last} if last else {}))[:ROWS_AT_ONCE]):
        yield [_statement(row) for row in rows]
        last = rows[-1].id


def _rows() -> QuerySet[Payment]:
    return Payment.objects.prefetch_related("refunds")


def _statement(payment: Payment) -> PaymentStatement:
    return PaymentStatement(
        id=payment.id,
        order_id=payment.order_id,
        order_number=payment.order_number,
        status=payment.status,
        captured=payment.captured,
        currency=payment.currency,
        provider=payment.provider,
        charge_ref=payment.provider_ref,
        alarm=payment.alarm,
        refunds={
            one.id: RefundStatement(id=one.id, status=one.status, amount=one.amount) for one in payment.refunds.all()
        },
    )
