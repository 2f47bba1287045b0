"""The ledger: captures, refunds, and the balance of every account."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from django.db.models import Sum

from mcommerce.payment.models import LedgerEntry, Payment

Account = LedgerEntry.Account
Kind = LedgerEntry.Kind


def enter_capture(*, payment: Payment, attempt_id: UUID, amount: int, currency: str, now: datetime) -> None:
    """Enter a customer's money that the payment provider now holds for us. Belongs in the caller's transaction."""
    LedgerEntry.objects.create(
        payment=payment,
        kind=Kind.CAPTURE,
        reference=attempt_id,
        debit=Account.PROVIDER,
        credit=Account.CUSTOMER,
        amount=amount,
        currency=currency,
        created_at=now,
    )


def enter_refund(*, payment: Payment, refund_id: UUID, amount: int, currency: str, now: datetime) -> None:
    """Enter money that the payment provider gave back. Belongs in the caller's transaction."""
    LedgerEntry.objects.create(
        payment=payment,
        kind=Kind.REFUND,
        reference=refund_id,
        debit=Account.CUSTOMER,
        credit=Account.PROVIDER,
        amount=amount,
        currency=currency,
        created_at=now,
    )


def balances() -> dict[tuple[str, str], int]:
    """Return the balance of each (account, currency), debits less credits. They sum to zero in each currency."""
    held: dict[tuple[str, str], int] = defaultdict(int)
    for side, sign in (("debit", 1), ("credit", -1)):
        for account, currency, total in LedgerEntry.objects.values_list(side, "currency").annotate(Sum("amount")):
            held[account, currency] += sign * total
    return dict(held)
