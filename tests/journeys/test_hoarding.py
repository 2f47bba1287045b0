"""A robot that orders and does not pay, and ten people who want the same thing."""

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.testing import settle
from mcommerce.orders.models import Order
from mcommerce.products.models import Product
from mcommerce.products.services.stock import receive_stock
from tests.journeys.conftest import ANSWERS
from tests.journeys.order_queries import state_of, stock_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock")]

VASES = 20
SHOPPERS = 10


def order(product: Product, quantity: int, address: str) -> Order | None:
    """By a fresh browser; None where the shop does not take the order."""
    browser = Client(REMOTE_ADDR=address)
    browser.post(reverse("orders:add"), {"product_id": product.id, "quantity": quantity})
    page = browser.get(reverse("orders:checkout"))
    seen = page.context["seen"] if page.status_code == 200 else ""
    answer = browser.post(reverse("orders:checkout"), {**ANSWERS, "token": uuid4(), "seen": seen})
    settle()
    to = answer.url if answer.status_code == 302 else ""
    return Order.objects.filter(id=to.strip("/").split("/")[-1]).first() if "/orders/" in to else None


def test_ten_shoppers_elsewhere_get_theirs(vase: Product) -> None:
    receive_stock(product_id=vase.id, quantity=VASES - 2, now=clock.now())
    settle()

    for quantity in (VASES, VASES // 2, 5, 3, 1, 1, 1):
        order(vase, quantity, "198.51.100.1")

    on_hand, held = stock_of(vase)
    assert on_hand == VASES and 0 < held <= VASES - SHOPPERS
    orders = [order(vase, 1, f"203.0.113.{number}") for number in range(SHOPPERS)]
    assert [one and state_of(one) for one in orders] == [Order.State.AWAITING_PAYMENT] * SHOPPERS


def test_the_shopper_who_wants_them_all_gets_them_in_turns(vase: Product) -> None:
    """No sale is lost: what is paid is not held, so the rest can be ordered."""
    receive_stock(product_id=vase.id, quantity=6, now=clock.now())
    settle()
    wanted = [4, 2, 2]

    for quantity in wanted:
        one = order(vase, quantity, "198.51.100.1")
        assert one is not None and state_of(one) == Order.State.AWAITING_PAYMENT
        Order.objects.filter(id=one.id).update(state=Order.State.PAID)

    assert stock_of(vase) == (8, 8)
