"""Faults that somebody could build into the shop, each with the truth that it breaks, as a pattern of what is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from eventbus.audit import delivery_audit as audit
from eventbus.backends.base import TopicPartition
from eventbus.backends.memory import MemoryConsumer
from eventbus.events import Record
from eventbus.operations import lag, standstill
from eventbus.registry import Group
from mcommerce.events import ProductStockChanged
from mcommerce.orders.services import lifecycle as orders
from mcommerce.payment.providers import sandbox
from mcommerce.payment.services import ledger
from mcommerce.products.models import Stock
from mcommerce.products.services import stock
from tests.simulation.mistakes import delivery, order

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
    with delivery.the_inbox_is_forgotten.made():
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
def projection_not_called(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The bus says that a group has handled what its handler never saw; the audit balances."""
    call = Group.call

    def but_one(group: Group, record: Record) -> None:
        if record.type != STOCK_CHANGED:
            call(group, record)

    monkeypatch.setattr(Group, "call", but_one)
    yield


@contextmanager
def partition_left_out(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A dispatcher takes nothing from one partition any more, and `status` says that all is well."""
    leave_out_products(monkeypatch)
    monkeypatch.setattr(standstill, "standing", lambda *given, **named: [])
    monkeypatch.setattr(lag, "problems", lambda *given, **named: [])
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


@contextmanager
def parked_key_overtaken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Events behind a parked one are handled before it. All are handled once in the end, and the audit balances."""
    with order.a_parked_key_is_overtaken.made():
        yield


FAULTS = {
    unguarded_stock: "I1",
    unsigned_webhooks_trusted: "I2",
    late_capture_kept: "I3",
    refund_entered_twice: "I4",
    no_inbox: "I5",
    projection_not_called: "I7",
    parked_key_overtaken: "I7: .* after what was published later",
    partition_left_out: "I8",
}
