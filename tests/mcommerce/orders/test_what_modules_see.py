"""A module finds in the events all that it needs: four small ones read no table of the orders."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from eventbus.events import declared_events
from eventbus.models import OutboxRow
from eventbus.testing import published_events
from mcommerce import events
from mcommerce.events import (
    OrderContactGiven,
    OrderedLine,
    OrderPaid,
    OrderPlaced,
    OrderRefunded,
    OrderRefundFailed,
    OrderRefundRequested,
    OrderShipped,
    RefundReason,
    VatAmount,
)
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle, reconciliation, refunds, returns
from tests.mcommerce.orders.conftest import BUYER, LATER, STAFF, about, fresh, pay, put_up

CUSTOMER = UUID(int=9)
LATEST = LATER + timedelta(days=3)
CENTS_A_POINT = 100

Buy = Callable[..., Order]


@pytest.fixture
def bought(placed: Callable[..., Order]) -> Buy:
    """Buys a vase at 20 % VAT and a book at 5.5 %, with an account unless it is a guest, and pays."""

    def buy(customer_id: UUID | None = CUSTOMER) -> Order:
        vase, book = put_up(1_900), put_up(1_055, sku="BOOK-1", slug="book", tax_rate=550)
        order = placed(vase, book, buyer=replace(BUYER, customer_id=customer_id, language="fr"))
        lifecycle.await_payment(order_id=order.id, now=LATER)
        pay(order)
        return fresh(order)

    return buy


def settle_refunds() -> None:
    """Have the orders hear that all money went back."""
    for refund in Refund.objects.all():
        refunds.settle(refund_id=refund.id, now=LATEST)


# --- loyalty points ---------------------------------------------------------------------------------------------------


def points() -> dict[UUID, int]:
    """What a loyalty module has of each customer: granted when paid, taken back as far as the money went back."""
    granted = {told.order_id: told for told in published_events(OrderPaid)}
    back = {told.order_id: told.sale_refunded for told in published_events(OrderRefunded)}
    found: Counter[UUID] = Counter()
    for order_id, paid in granted.items():
        if paid.customer_id is not None:
            found[paid.customer_id] += (paid.amount - back.get(order_id, 0)) // CENTS_A_POINT
    return dict(found)


def test_points_are_granted_once_for_what_is_paid_and_a_guest_has_none(bought: Buy, bus_clock: Any) -> None:
    order = bought()
    bought(None)
    bus_clock.hold(LATEST)
    reconciliation.tell_paid(order_id=order.id)

    first, again = (told for told in published_events(OrderPaid) if told.order_id == order.id)
    assert first == again, "with the time of the fact, not of the telling"
    assert first.at == LATER
    assert points() == {CUSTOMER: 29}


@pytest.mark.parametrize("ends", ["cancelled", "returned", "stock lost", "paid twice"])
def test_points_are_taken_back_with_the_money_of_the_sale(bought: Buy, ends: str) -> None:
    order = bought()
    if ends == "cancelled":
        lifecycle.cancel_by_staff(order_id=order.id, by=STAFF, now=LATER)
    elif ends == "stock lost":
        lifecycle.lose_stock(order_id=order.id, now=LATER)
    elif ends == "paid twice":
        pay(order, payment_id=uuid4())
    else:
        lifecycle.ship(order_id=order.id, carrier="", tracking="", by=STAFF, now=LATER)
        returns.refund_sent(order_id=order.id, pieces_are_back=True, by=STAFF, now=LATER)
    settle_refunds()

    [told] = published_events(OrderRefunded)
    assert about(order).items() <= {name: getattr(told, name) for name in told.__struct_fields__}.items()
    if ends == "paid twice":
        assert (told.reason, told.sale_refunded, told.vat) == (RefundReason.PAID_TWICE, 0, ())
        assert points() == {CUSTOMER: 29}
    else:
        assert (told.amount, told.sale_refunded) == (2_955, 2_955)
        assert points() == {CUSTOMER: 0}


# --- accounting -------------------------------------------------------------------------------------------------------


def journal() -> Iterator[tuple[Any, ...]]:
    """What an accounting module writes down: date, number, country, rate, amount, VAT, reason."""
    for paid in {told.order_id: told for told in published_events(OrderPaid)}.values():
        for part in paid.vat:
            yield paid.at, paid.order_number, paid.country, part.rate, part.amount, part.tax, ""
    for back in published_events(OrderRefunded):
        for part in back.vat:
            yield back.at, back.order_number, back.country, part.rate, -part.amount, -part.tax, back.reason


def test_the_journal_has_the_vat_of_each_rate_on_the_day_of_the_sale_and_of_the_refund(bought: Buy) -> None:
    order = bought()
    lifecycle.ship(order_id=order.id, carrier="La Poste", tracking="6A1", by=STAFF, now=LATER)
    returns.refund_sent(order_id=order.id, pieces_are_back=False, by=STAFF, now=LATER)
    settle_refunds()

    assert list(journal()) == [
        (LATER, order.number, "FR", 550, 1_055, 55, ""),
        (LATER, order.number, "FR", 2_000, 1_900, 317, ""),
        (LATEST, order.number, "FR", 550, -1_055, -55, "returned"),
        (LATEST, order.number, "FR", 2_000, -1_900, -317, "returned"),
    ]
    assert [(told.order_number, told.at) for told in published_events(OrderShipped)] == [(order.number, LATER)]
    [paid] = published_events(OrderPaid)
    assert sum(part.amount for part in paid.vat) == paid.amount == order.total
    assert sum(part.tax for part in paid.vat) == sum(line.tax for line in paid.lines) == order.tax
    assert {line.tax_rate for line in paid.lines} == {part.rate for part in paid.vat}


def test_what_costs_nothing_is_a_sale_of_nothing(placed: Callable[..., Order]) -> None:
    order = placed(put_up(0))
    lifecycle.await_payment(order_id=order.id, now=LATER)

    [paid] = published_events(OrderPaid)
    assert (paid.amount, paid.vat) == (0, (VatAmount(rate=2_000, amount=0, tax=0),))
    assert isinstance(paid.lines[0], OrderedLine)


def test_a_refund_that_failed_and_is_tried_again_keeps_its_reason(bought: Buy) -> None:
    order = bought()
    lifecycle.cancel_by_staff(order_id=order.id, by=STAFF, now=LATER)
    refund = Refund.objects.get(order=order)
    refunds.fail(refund_id=refund.id, code="card_expired", now=LATER)
    refunds.ask_again(refund_id=refund.id, by=STAFF, now=LATER)
    settle_refunds()

    told = [
        *published_events(OrderRefundRequested),
        *published_events(OrderRefundFailed),
        *published_events(OrderRefunded),
    ]
    assert [one.reason for one in told] == [RefundReason.CANCELLED] * 4
    assert published_events(OrderRefundFailed)[0].order_number == order.number


# --- mails and newsletter ---------------------------------------------------------------------------------------------


def test_whoever_writes_to_customers_is_told_once_and_first_where_and_in_which_language(bought: Buy) -> None:
    order = bought(None)

    [told] = published_events(OrderContactGiven)
    assert told == OrderContactGiven(**about(order), email="ada@example.com", language="fr")
    kinds = list(OutboxRow.objects.order_by("id").values_list("type", flat=True))
    assert kinds.index(OrderContactGiven.wire_type()) < kinds.index(OrderPlaced.wire_type())


def test_only_three_events_hold_an_address_and_none_a_name_or_a_street() -> None:
    ours = [one for one in declared_events() if one.__module__ == events.__name__]
    fields = {one.__name__: set(one.__struct_fields__) for one in ours}

    assert {name for name, found in fields.items() if "email" in found} == {
        *("OrderContactGiven", "OrderAwaitingPayment", "CustomerContactChanged")
    }
    personal = {"name", "street", "extra", "postal_code", "city", "phone", "recipient"}
    assert {name: found & personal for name, found in fields.items() if found & personal} == {}
