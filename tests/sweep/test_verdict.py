"""What the verdict says of our books: each account holds what the orders come to, whichever side an entry is on."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from eventbus import clock
from mcommerce.payment.models import LedgerEntry, Payment
from mcommerce.payment.services.ledger import Account, enter_capture, enter_refund
from tests.sweep import verdict

PRICE = 1_900


class Books:
    """The company's: it charged two people, and gave one of them everything back."""

    def __init__(self, run: Any) -> None: ...

    def ask(self, query: str) -> list[dict[str, int]]:
        return [{"sum": PRICE if "refunded" in query else 2 * PRICE}]


@pytest.fixture
def run(db: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ada keeps what she bought, Eve was refunded; both are in our books."""
    shoppers = [SimpleNamespace(name=name, order=SimpleNamespace(total=PRICE)) for name in ("ada", "eve")]
    monkeypatch.setattr(verdict, "all_of", lambda run: shoppers)
    monkeypatch.setattr(verdict, "Books", Books)
    paid, returned = (
        Payment.objects.create(order_id=uuid4(), amount=PRICE, currency="EUR", expires_at=clock.now())
        for _shopper in shoppers
    )
    entry = {"amount": PRICE, "currency": "EUR", "now": clock.now()}
    enter_capture(payment=paid, attempt_id=uuid4(), **entry)
    enter_capture(payment=returned, attempt_id=uuid4(), **entry)
    enter_refund(payment=returned, refund_id=uuid4(), **entry)


def test_books_that_say_what_the_orders_say_are_right(run: Any) -> None:
    assert list(verdict.money(run)) == []


def test_a_refund_entered_back_to_front_is_told(run: Any) -> None:
    LedgerEntry.objects.filter(kind="refund").update(debit=Account.PROVIDER, credit=Account.CUSTOMER)

    held = [line.partition(", which")[0] for line in verdict.money(run)]
    assert held == ["our account provider holds 5700, not 1900", "our account customer holds -5700, not -1900"]


def test_a_refund_that_is_not_entered_is_told(run: Any) -> None:
    LedgerEntry.objects.filter(kind="refund").delete()

    assert [line for line in verdict.money(run) if "our account provider holds 3800, not 1900" in line]
