"""Journeys of an order through products, stock, orders and mail on the real bus; only the payments are made up."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

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
    OrderRefunded,
    OrderRefundRequested,
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    StockCommitFailed,
    StockCommitted,
    StockLine,
    StockRejected,
    StockReserved,
)
from mcommerce.orders.models import Offer, Order, Refund
from mcommerce.products.models import Product
from mcommerce.products.services.catalogue import withdraw_product
from mcommerce.products.services.stock import write_off_stock
from tests.journeys.order_queries import mails_about, state_of, steps_of, stock_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock")]

State = Order.State


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


def test_from_a_published_product_to_goods_that_left_the_stock(
    order_of: Callable[..., Order], vase: Product, browser: Client
) -> None:
    assert Offer.objects.get(product_id=vase.id).available == 2

    order = order_of(quantity=2)
    assert state_of(order) == State.AWAITING_PAYMENT
    assert stock_of(vase) == (2, 2)

    tell(succeeded(order))
    assert state_of(order) == State.PAID
    assert stock_of(vase) == (0, 0)
    assert [told.order_id for told in published_events(StockCommitted)] == [order.id]
    assert Offer.objects.get(product_id=vase.id).available == 0

    page = browser.get(reverse("orders:order", args=[order.id])).content.decode()
    assert "Paid, thank you!" in page
    [confirmation] = mails_about(order)
    assert confirmation.subject == f"Order {order.number} is paid, thank you"
    assert steps_of(order) == ["placed", "reserved", "paid", "mailed"]


def test_the_mails_link_shows_the_order_in_another_browser(order_of: Callable[..., Order]) -> None:
    order = order_of()
    tell(succeeded(order))

    [link] = re.findall(r"\S*(/orders/\S+)", mails_about(order)[0].body)

    assert order.number in Client().get(link, follow=True).content.decode()


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


def test_what_was_withdrawn_meanwhile_is_not_sold(order_of: Callable[..., Order], vase: Product) -> None:
    order = order_of(quiet=True)
    withdraw_product(product_id=vase.id, now=clock.now())

    settle()

    assert state_of(order) == State.CANCELLED


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


def test_the_deadline_passes_a_paid_order_by(order_of: Callable[..., Order], settings: Any) -> None:
    order = order_of()
    tell(succeeded(order))

    clock.advance(minutes=settings.ORDER_PAYMENT_MINUTES + 1)
    settle()

    assert state_of(order) == State.PAID
    assert published_events(OrderCancelled) == []


def test_a_decline_leaves_time_for_another_card(order_of: Callable[..., Order], browser: Client) -> None:
    order, payment_id = order_of(), uuid7()

    tell(PaymentFailed(payment_id=payment_id, order_id=order.id, code="card_declined", retryable=True))
    page = browser.get(reverse("orders:order", args=[order.id])).content.decode()
    assert "Your bank declined the card." in page

    tell(succeeded(order, payment_id))
    assert state_of(order) == State.PAID


def test_a_payment_told_before_the_stock_waits_for_it(order_of: Callable[..., Order]) -> None:
    """The two topics promise no order: here the payment is told first."""
    order = order_of(quiet=True)
    with transaction.atomic():
        publish(succeeded(order))
    settle(raise_errors=False)

    clock.advance(minutes=10)  # past any backoff
    settle()

    assert state_of(order) == State.PAID


def test_a_payment_after_the_cancellation_is_refunded_exactly_once(
    order_of: Callable[..., Order], browser: Client, vase: Product
) -> None:
    order = order_of()
    browser.post(reverse("orders:cancel", args=[order.id]))
    settle()

    paid = succeeded(order)
    tell(paid, paid, refunded=True)

    assert state_of(order) == State.CANCELLED
    assert [told.payment_id for told in published_events(OrderRefundRequested)] == [paid.payment_id]
    assert published_events(OrderPaid) == []
    assert stock_of(vase) == (2, 0)


def test_a_cancellation_after_the_payment_comes_too_late(order_of: Callable[..., Order], browser: Client) -> None:
    order = order_of()
    tell(succeeded(order))

    browser.post(reverse("orders:cancel", args=[order.id]))
    settle()

    assert state_of(order) == State.PAID
    assert published_events(OrderRefundRequested) == []


@pytest.mark.parametrize("wrong", [{"amount": 1}, {"amount": 190_000}, {"currency": "USD"}])
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


def test_a_refund_told_twice_changes_nothing(order_of: Callable[..., Order], vase: Product) -> None:
    """Each time with an id of its own, so that no inbox knows it: the refund's state alone stands guard."""
    order = order_of()
    tell(succeeded(order))
    lines = tuple(StockLine(product_id=line.product_id, quantity=line.quantity) for line in order.lines.all())
    tell(StockCommitFailed(order_id=order.id, lines=lines), refunded=True)
    refunded = money_back(Refund.objects.get(order=order))
    tell(refunded, refunded=True)
    before = (_rows(order), stock_of(vase), len(mails_about(order)), steps_of(order))

    tell(refunded, refunded, refunded=True)

    assert (_rows(order), stock_of(vase), len(mails_about(order)), steps_of(order)) == before
    assert [told.refund_id for told in published_events(OrderRefunded)] == [refunded.refund_id]


def _rows(order: Order) -> tuple[dict[str, Any], dict[str, Any]]:
    return Order.objects.values().get(id=order.id), Refund.objects.values().get(order=order)
