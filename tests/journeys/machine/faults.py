"""Faults that somebody could build into the shop, each with the truth that it breaks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from eventbus import inbox
from mcommerce.orders import services as orders
from mcommerce.payment import ledger
from mcommerce.payment import services as payments
from mcommerce.payment.models import Attempt, LedgerEntry, Payment
from mcommerce.payment.providers import sandbox
from mcommerce.products import stock
from mcommerce.products.models import Stock

from . import truths


@contextmanager
def unguarded_stock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever asks gets pieces, and the database does not mind."""
    monkeypatch.setattr(stock, "_enough", lambda product_id, quantity: Stock.objects.filter(product_id=product_id))
    on_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if on_postgresql:  # rolled back with the test
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or it waits for foreign keys to be looked at
            cursor.execute("ALTER TABLE products_stock DROP CONSTRAINT stock_held_is_on_hand")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        else:
            cursor.execute("PRAGMA ignore_check_constraints = ON")
    try:
        yield
    finally:
        if not on_postgresql:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA ignore_check_constraints = OFF")


@contextmanager
def no_inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(inbox, "known", lambda group, event_ids, **run: set())
    monkeypatch.setattr(inbox, "note", lambda group, event_ids, **run: None)
    yield


@contextmanager
def late_capture_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Money that comes for a cancelled order stays."""
    send_back: Callable[..., Any] = orders._send_back

    def keep(order: Any, *given: Any) -> list[Any]:
        return [] if order.state == "cancelled" else send_back(order, *given)

    monkeypatch.setattr(orders, "_send_back", keep)
    yield


@contextmanager
def new_attempt_on_timeout(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No answer is taken for a no: the shopper may pay on another page, with another key.

    In the evening the forgotten capture would be missed too (I3), often before anybody has paid twice: nobody looks.
    """
    claim: Callable[..., Any] = payments._claim_attempt

    def forget_and_claim(*, order_id: Any, **named: Any) -> Any:
        unanswered = Payment.objects.filter(order_id=order_id, status=Payment.Status.UNKNOWN)
        if unanswered.exists():
            Attempt.objects.filter(payment__in=unanswered).update(outcome=Attempt.Outcome.EXPIRED)
            unanswered.update(status=Payment.Status.NEW)
        return claim(order_id=order_id, **named)

    monkeypatch.setattr(payments, "_claim_attempt", forget_and_claim)
    monkeypatch.setattr(truths, "check_at_rest", truths.check)
    yield


@contextmanager
def unsigned_webhooks_trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sandbox, "check_signature", lambda header, body, *, secrets, now: None)
    yield


@contextmanager
def refund_entered_twice(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Under a reference of its own each time, so the database does not mind."""
    enter: Callable[..., None] = ledger.enter_refund

    def twice(**entry: Any) -> None:
        enter(**entry)
        enter(**entry | {"refund_id": uuid4()})

    monkeypatch.setattr(ledger, "enter_refund", twice)
    yield


@contextmanager
def refund_not_entered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ledger, "enter_refund", lambda **entry: None)
    yield


@contextmanager
def refund_entered_back_to_front(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The right amount, as if it had come: debits are credits all the same."""
    enter: Callable[..., None] = ledger.enter_refund

    def back_to_front(**entry: Any) -> None:
        enter(**entry)
        entered = LedgerEntry.objects.filter(reference=entry["refund_id"])
        entered.update(debit=ledger.Account.PROVIDER, credit=ledger.Account.CUSTOMER)

    monkeypatch.setattr(ledger, "enter_refund", back_to_front)
    yield


@contextmanager
def capture_entered_short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    enter: Callable[..., None] = ledger.enter_capture
    monkeypatch.setattr(ledger, "enter_capture", lambda **entry: enter(**entry | {"amount": entry["amount"] - 1}))
    yield


FAULTS = {
    unguarded_stock: "I1",
    new_attempt_on_timeout: "I2",
    unsigned_webhooks_trusted: "I2",
    late_capture_kept: "I3",
    refund_entered_twice: "I4",
    refund_not_entered: "I4",
    refund_entered_back_to_front: "I4",
    capture_entered_short: "I4",
    no_inbox: "I5",
}
