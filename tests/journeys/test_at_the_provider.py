"""The whole of it, with a payment provider on a port of its own: order, pay there, get the goods, or the money back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.testing import published_events, settle
from mcommerce.events import OrderPaid, StockCommitted
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle, returns
from mcommerce.payment.sandbox import serve
from mcommerce.payment.services.ledger import balances
from mcommerce.products.models import Product
from tests.journeys.order_queries import mails_about, state_of, stock_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock", "company")]

KEY, SECRET = "key-of-the-tests", "secret-of-the-tests"
SITE_URL = "https://shop.invalid"
GOOD_CARD, DECLINED_CARD = "4242424242424242", "4000000000000002"
TIMEOUT_SECONDS = 10  # the company is a thread of this process
State = Order.State


@pytest.fixture
def company(settings: Any, tmp_path: Path) -> Iterator[str]:
    """A running payment provider; its address."""
    cache.clear()  # what earlier tests asked too often
    provider = serve(
        "127.0.0.1",
        0,
        ledger_path=tmp_path / "company.sqlite3",
        api_key=KEY,
        webhook_secret=SECRET,
        now=lambda: clock.now().timestamp(),
    )
    settings.SANDBOX_PROVIDER_URL = provider.url
    settings.SANDBOX_PROVIDER_KEY, settings.SANDBOX_WEBHOOK_SECRET = KEY, SECRET
    settings.SITE_URL = SITE_URL
    yield provider.url
    provider.close()


@pytest.fixture
def charges(company: str) -> Callable[[], list[dict[str, Any]]]:
    """What the company says it took."""

    def ask() -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = requests.get(f"{company}/v1/charges", headers=headers, timeout=TIMEOUT_SECONDS)
        return answer.json()["charges"]

    return ask


@pytest.fixture
def pay(browser: Client) -> Callable[..., str]:
    """Goes from the order's page to the company, types a card, comes back, and lets the shop answer."""

    def pay(order: Order, card: str = GOOD_CARD) -> str:
        page = browser.post(reverse("payment:pay", args=[order.id])).url
        form = {"number": card, "expiry": "12/40", "cvc": "123"}
        answer = requests.post(page, data=form, allow_redirects=False, timeout=TIMEOUT_SECONDS)
        if "Location" in answer.headers and "/payment/return/" in answer.headers["Location"]:
            browser.get(answer.headers["Location"].partition(SITE_URL)[2])
        settle()
        return page

    return pay


def test_from_the_cart_to_goods_that_are_paid_for(
    order_of: Callable[..., Order], vase: Product, pay: Callable[..., str], charges: Callable[[], list[dict[str, Any]]]
) -> None:
    order = order_of(quantity=2)

    pay(order)

    assert state_of(order) == State.PAID
    assert [(charge["amount"], charge["currency"]) for charge in charges()] == [(3_800, "EUR")]
    assert len(published_events(StockCommitted)) == 1
    assert stock_of(vase) == (0, 0)


def test_a_declined_card_costs_nothing_and_another_one_pays_once(
    order_of: Callable[..., Order], pay: Callable[..., str], charges: Callable[[], list[dict[str, Any]]]
) -> None:
    order = order_of()

    pay(order, DECLINED_CARD)
    assert (state_of(order), charges()) == (State.AWAITING_PAYMENT, [])

    pay(order)
    assert state_of(order) == State.PAID
    assert len(charges()) == 1
    assert len(published_events(OrderPaid)) == 1


def test_cancelling_a_paid_order_gives_back_what_was_taken(
    order_of: Callable[..., Order], vase: Product, pay: Callable[..., str], charges: Callable[[], list[dict[str, Any]]]
) -> None:
    order = order_of()
    pay(order)

    lifecycle.cancel_by_staff(order_id=order.id, by=uuid4(), now=clock.now())
    settle()

    assert (state_of(order), Refund.objects.get().state) == (State.CANCELLED, Refund.State.REFUNDED)
    assert [charge["refunded"] for charge in charges()] == [1_900]


def test_what_was_sent_back_is_paid_back_once_and_can_be_sold_again(
    order_of: Callable[..., Order], vase: Product, pay: Callable[..., str], charges: Callable[[], list[dict[str, Any]]]
) -> None:
    order = order_of(quantity=2)
    pay(order)
    lifecycle.ship(order_id=order.id, carrier="La Poste", tracking="6A1", by=uuid4(), now=clock.now())

    for _click in range(2):
        returns.refund_sent(order_id=order.id, pieces_are_back=True, by=uuid4(), now=clock.now())
        settle()

    assert (state_of(order), Refund.objects.get().state) == (State.SHIPPED, Refund.State.REFUNDED)
    assert [charge["refunded"] for charge in charges()] == [3_800]
    assert set(balances().values()) == {0}
    assert stock_of(vase) == (2, 0)
    last = mails_about(order)[-1]
    assert last.subject == f"Your money for order {order.number} was sent back"
    assert "€38.00" in last.body


def test_money_that_came_after_the_cancellation_goes_back_once(
    order_of: Callable[..., Order],
    browser: Client,
    pay: Callable[..., str],
    charges: Callable[[], list[dict[str, Any]]],
) -> None:
    order = order_of()
    page = browser.post(reverse("payment:pay", args=[order.id])).url
    lifecycle.cancel_by_customer(order_id=order.id, now=clock.now())  # nobody has heard of it yet

    form = {"number": GOOD_CARD, "expiry": "12/40", "cvc": "123"}
    answer = requests.post(page, data=form, allow_redirects=False, timeout=TIMEOUT_SECONDS)
    browser.get(answer.headers["Location"].partition(SITE_URL)[2])
    settle()

    assert (state_of(order), Refund.objects.get().state) == (State.CANCELLED, Refund.State.REFUNDED)
    assert [(charge["amount"], charge["refunded"]) for charge in charges()] == [(1_900, 1_900)]
