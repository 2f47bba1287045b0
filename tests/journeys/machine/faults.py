"""Faults that somebody could build into the shop, each with the truth that it breaks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.db import connection

from eventbus.audit import delivery_audit as audit
from eventbus.backends.base import TopicPartition
from eventbus.backends.memory import MemoryConsumer
from eventbus.events import Record
from eventbus.operations import lag, standstill
from eventbus.progress import inbox
from eventbus.registry import Group
from mcommerce.events import ProductStockChanged
from mcommerce.orders.services import lifecycle as orders
from mcommerce.payment.models import Attempt, LedgerEntry, Payment
from mcommerce.payment.providers import sandbox
from mcommerce.payment.services import ledger, payments
from mcommerce.products.models import Stock
from mcommerce.products.services import stock
from tests.journeys.machine import invariants

PRODUCTS, STOCK_CHANGED = ProductStockChanged.topic, ProductStockChanged.wire_type()


@contextmanager
def unguarded_stock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever asks gets pieces, and the database does not mind."""
    monkeypatch.setattr(stock, "_enough", lambda product_id, quantity: Stock.objects.filter(product_id=product_id))
    on_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if on_postgresql:  # rolled back with the test
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or it waits for foreign keys to be looked at
            for constraint in ("stock_held_is_on_hand", "products_stock_on_hand_check"):
                cursor.execute(f"ALTER TABLE products_stock DROP CONSTRAINT {constraint}")
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
    """And an audit that is blind: it would miss the rows before anything is handled twice."""
    monkeypatch.setattr(audit, "problems", lambda found: [])
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
    monkeypatch.setattr(invariants, "check_at_rest", invariants.check)
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


@contextmanager
def projection_not_called(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The bus says that a group has handled what its handler never saw; the audit balances."""
    call = Group.call

    def but_one(group: Group, record: Record) -> None:
        if record.type != STOCK_CHANGED:
            call(group, record)

    monkeypatch.setattr(Group, "call", but_one)
    yield


@contextmanager
def stock_changes_back_to_front(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of a batch in one topic the last comes first. Its handler compares versions, so that nobody else notices."""
    fetch = MemoryConsumer.fetch

    def hasty(reader: MemoryConsumer, records_max: int) -> list[Record]:
        records = fetch(reader, records_max)
        if not records or records[0].topic != PRODUCTS:
            return records
        places = [record.offset for record in records]
        return [
            msgspec.structs.replace(record, offset=place)
            for place, record in zip(places, reversed(records), strict=True)
        ]

    monkeypatch.setattr(MemoryConsumer, "fetch", hasty)
    yield


@contextmanager
def partition_left_out(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A dispatcher takes nothing from one partition any more, and `status` says that all is well."""
    leave_out_products(monkeypatch)
    monkeypatch.setattr(standstill, "standing", lambda progress: [])
    monkeypatch.setattr(lag, "problems", lambda groups, standstills: [])
    yield


def leave_out_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads their partition takes nothing from it, and says nothing."""
    fetch, given, unsought = MemoryConsumer.fetch, MemoryConsumer.assignment, MemoryConsumer.unsought

    def fetch_the_rest(reader: MemoryConsumer, records_max: int) -> list[Record]:
        for place in set(reader._offsets) - set(_but_products([*reader._offsets])):
            del reader._offsets[place]
        return fetch(reader, records_max)

    monkeypatch.setattr(MemoryConsumer, "fetch", fetch_the_rest)
    monkeypatch.setattr(MemoryConsumer, "assignment", lambda reader: _but_products(given(reader)))
    monkeypatch.setattr(MemoryConsumer, "unsought", lambda reader: _but_products(unsought(reader)))


def _but_products(places: list[TopicPartition]) -> list[TopicPartition]:
    return [place for place in places if place.topic != PRODUCTS]


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
    projection_not_called: "I7",
    stock_changes_back_to_front: "I7",
    partition_left_out: "I8",
}
