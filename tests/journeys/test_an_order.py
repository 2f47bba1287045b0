"""Journeys of an order through products, stock, orders, payment and mail on the real bus.

First with a payment provider on a port of its own; then only the payments are made up.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from eventbus import Event, clock, publish
from eventbus.ids import uuid7
from eventbus.testing import published_events, settle
from mcommerce.events import (
    OrderCancelled,
    OrderPaid,
    OrderRefundRequested,
    PaymentRefunded,
    PaymentSucceeded,
    StockCommitFailed,
    StockCommitted,
    StockLine,
    StockRejected,
    StockReserved,
)
from mcommerce.orders.models import Offer, Order, Refund
from mcommerce.orders.services import lifecycle, returns
from mcommerce.payment.models import Payment
from mcommerce.payment.services.ledger import balances
from mcommerce.products.models import Product
from mcommerce.products.services.stock import write_off_stock
from tests.journeys.conftest import GOOD_CARD
from tests.journeys.order_queries import mails_about, page_of, state_of, steps_of, stock_of
from tests.journeys.provider_stub import Company

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock")]

State = Order.State
DECLINED_CARD = "4000000000000002"


def tell(*events: Event, refunded: bool = False) -> None:
    """Somebody says it on the bus, and the shop answers until it is quiet.

    `refunded`: money goes back, for which the real payment app waits in vain: it never saw our made-up payment.
    """
    with transaction.atomic():
        publish(*events)
    settle(raise_errors=not refunded)


def succeeded(order: Order, payment_id: UUID | None = None, **fields: Any) -> PaymentSucceeded:
    told = {"amount": order.total, "currency": order.currency, "provider": "sandbox", "provider_ref": "chg_1"}
    return PaymentSucceeded(payment_id=payment_id or uuid7(), order_id=order.id, **{**told, **fields})


def money_back(refund: Refund) -> PaymentRefunded:
    return PaymentRefunded(
        refund_id=refund.id,
        payment_id=refund.payment_id,
        order_id=refund.order_id,
        amount=refund.amount,
        currency=refund.currency,
        reason=refund.reason,
    )


# --- paid at the provider ---------------------------------------------------------------------------------------------


@pytest.fixture
def pay(browser: Client, company: Company) -> Callable[..., None]:
    """Goes from the order's page to the company, types a card, comes back, and lets the shop answer."""

    def pay(order: Order, card: str = GOOD_CARD) -> None:
        company.type_card(page_of(browser, order), card)
        come_back(browser, order)

    return pay


def come_back(browser: Client, order: Order) -> None:
    browser.get(reverse("payment:return", args=[Payment.objects.get(order_id=order.id).id]))
    settle()


def test_from_a_published_product_to_goods_that_left_the_stock(
    order_of: Callable[..., Order], vase: Product, browser: Client, pay: Callable[..., None], company: Company
) -> None:
    assert Offer.objects.get(product_id=vase.id).available == 2

    order = order_of(quantity=2)
    assert state_of(order) == State.AWAITING_PAYMENT
    assert stock_of(vase) == (2, 2)

    pay(order)
    assert state_of(order) == State.PAID
    assert company.charges() == [(3_800, 0)]
    assert stock_of(vase) == (0, 0)
    assert [told.order_id for told in published_events(StockCommitted)] == [order.id]
    assert Offer.objects.get(product_id=vase.id).available == 0

    page = browser.get(reverse("orders:order", args=[order.id])).content.decode()
    assert "Paid, thank you!" in page
    [confirmation] = mails_about(order)
    assert confirmation.subject == f"Order {order.number} is paid, thank you"
    assert steps_of(order) == ["placed", "reserved", "paid", "mailed"]
    [link] = re.findall(r"\S*(/orders/\S+)", confirmation.body)
    assert order.number in Client().get(link, follow=True).content.decode()


def test_a_declined_card_costs_nothing_and_another_one_pays_once(
    order_of: Callable[..., Order], browser: Client, pay: Callable[..., None], company: Company
) -> None:
    order = order_of()

    pay(order, DECLINED_CARD)
    assert (state_of(order), company.charges()) == (State.AWAITING_PAYMENT, [])
    assert "Your bank declined the card." in browser.get(reverse("orders:order", args=[order.id])).content.decode()

    pay(order)
    assert state_of(order) == State.PAID
    assert company.charges() == [(1_900, 0)]
    assert len(published_events(OrderPaid)) == 1


def test_cancelling_a_paid_order_gives_back_what_was_taken(paid_order: Order, company: Company) -> None:
    lifecycle.cancel_by_staff(order_id=paid_order.id, by=uuid4(), now=clock.now())
    settle()

    assert (state_of(paid_order), Refund.objects.get().state) == (State.CANCELLED, Refund.State.REFUNDED)
    assert company.charges() == [(1_900, 1_900)]


def test_what_was_sent_back_is_paid_back_once_and_can_be_sold_again(
    order_of: Callable[..., Order], vase: Product, pay: Callable[..., None], company: Company
) -> None:
    order = order_of(quantity=2)
    pay(order)
    lifecycle.ship(order_id=order.id, carrier="La Poste", tracking="6A1", by=uuid4(), now=clock.now())

    for _click in range(2):
        returns.refund_sent(order_id=order.id, pieces_are_back=True, by=uuid4(), now=clock.now())
        settle()

    assert (state_of(order), Refund.objects.get().state) == (State.SHIPPED, Refund.State.REFUNDED)
    assert company.charges() == [(3_800, 3_800)]
    assert set(balances().values()) == {0}
    assert stock_of(vase) == (2, 0)
    last = mails_about(order)[-1]
    assert last.subject == f"Your money for order {order.number} was sent back"
    assert "€38.00" in last.body


def test_money_that_came_after_the_cancellation_goes_back_once(
    order_of: Callable[..., Order], browser: Client, vase: Product, company: Company
) -> None:
    order = order_of()
    page = page_of(browser, order)
    lifecycle.cancel_by_customer(order_id=order.id, now=clock.now())  # nobody has heard of it yet

    company.type_card(page, GOOD_CARD)
    come_back(browser, order)

    assert (state_of(order), Refund.objects.get().state) == (State.CANCELLED, Refund.State.REFUNDED)
    assert company.charges() == [(1_900, 1_900)]
    assert len(published_events(OrderRefundRequested)) == 1
    assert published_events(OrderPaid) == []
    assert stock_of(vase) == (2, 0)


# --- payments that are made up ----------------------------------------------------------------------------------------


def test_an_order_of_too_much_is_cancelled_and_nothing_stays_held(
    order_of: Callable[..., Order], vase: Product
) -> None:
    order = order_of(quantity=2, quiet=True)
    write_off_stock(product_id=vase.id, quantity=1, now=clock.now())

    settle()

    assert state_of(order) == State.CANCELLED
    assert len(published_events(StockRejected)) == 1
    assert stock_of(vase) == (1, 0)
    assert "there is not enough left" in mails_about(order)[0].body


def test_two_want_the_last_ones_and_one_gets_them(order_of: Callable[..., Order], vase: Product) -> None:
    shoppers = [Client(REMOTE_ADDR=f"198.51.100.{number}") for number in range(2)]
    orders = [order_of(quantity=2, quiet=True, by=shopper) for shopper in shoppers]

    settle()

    assert sorted(state_of(order) for order in orders) == [State.AWAITING_PAYMENT, State.CANCELLED]
    assert stock_of(vase) == (2, 2)


def test_an_order_that_nobody_pays_ends_at_its_deadline(
    order_of: Callable[..., Order], vase: Product, settings: Any
) -> None:
    order = order_of()

    clock.advance(minutes=settings.ORDER_PAYMENT_MINUTES - 1)
    settle()
    assert state_of(order) == State.AWAITING_PAYMENT

    clock.advance(minutes=1, seconds=1)
    settle()
    assert state_of(order) == State.CANCELLED
    assert [told.reason for told in published_events(OrderCancelled)] == ["payment_timeout"]
    assert stock_of(vase) == (2, 0)


def test_a_payment_told_before_the_stock_waits_for_it(order_of: Callable[..., Order]) -> None:
    """The two topics promise no order: here the payment is told first."""
    order = order_of(quiet=True)
    with transaction.atomic():
        publish(succeeded(order))
    settle(raise_errors=False)

    clock.advance(minutes=10)  # past any backoff
    settle()

    assert state_of(order) == State.PAID


@pytest.mark.parametrize("wrong", [{"amount": 1}, {"currency": "USD"}])
def test_a_payment_of_another_sum_is_never_taken_for_the_order(
    order_of: Callable[..., Order], wrong: dict[str, Any]
) -> None:
    order = order_of()

    tell(succeeded(order, **wrong), refunded=True)

    assert state_of(order) == State.AWAITING_PAYMENT
    assert Order.objects.get(id=order.id).needs_attention is True
    assert [told.reason for told in published_events(OrderRefundRequested)] == ["amount_mismatch"]


def test_goods_lost_after_the_payment_are_refunded_and_the_customer_told(order_of: Callable[..., Order]) -> None:
    order = order_of()
    tell(succeeded(order))
    line = order.lines.get()

    gone = (StockLine(product_id=line.product_id, quantity=line.quantity),)
    tell(StockCommitFailed(order_id=order.id, lines=gone), refunded=True)
    tell(money_back(Refund.objects.get(order=order)), refunded=True)

    assert (state_of(order), Refund.objects.get().state) == (State.CANCELLED, Refund.State.REFUNDED)
    assert [sent.subject.split(order.number)[0].strip() for sent in mails_about(order)] == [
        "Order",
        "Order",
        "Your money for order",
    ]


def test_everything_told_twice_changes_nothing(order_of: Callable[..., Order], vase: Product) -> None:
    """Each event again, with an id of its own, so that no inbox knows it: the states alone stand guard."""
    order = order_of()
    paid = succeeded(order)
    tell(paid)
    before = (Order.objects.values().get(id=order.id), stock_of(vase), len(mails_about(order)))

    lines = tuple(StockLine(product_id=line.product_id, quantity=line.quantity) for line in order.lines.all())
    tell(StockReserved(order_id=order.id, lines=lines), paid, StockCommitted(order_id=order.id, lines=lines), paid)

    assert (Order.objects.values().get(id=order.id), stock_of(vase), len(mails_about(order))) == before
    assert len(published_events(OrderPaid)) == 1
    assert published_events(OrderRefundRequested) == []
