"""The shop's fixtures, in a folder that has no conftest.py of its own."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from eventbus.testing import published_events
from mcommerce.accounts.models import User
from mcommerce.events import OrderPaid, OrderPlaced, StockReserved
from mcommerce.orders.models import Order
from mcommerce.products.models import Product
from tests.factories import CustomerFactory, ProductFactory

pytestmark = pytest.mark.django_db


def test_a_placed_order_has_its_piece_held(placed_order: Order, product: Product) -> None:
    assert placed_order.state == Order.State.AWAITING_PAYMENT
    assert [line.product_id for line in placed_order.lines.all()] == [product.id]
    assert [event.order_id for event in published_events(StockReserved)] == [placed_order.id]


def test_a_paid_order_has_taken_its_piece(paid_order: Order, product: Product) -> None:
    assert paid_order.state == Order.State.PAID
    assert [event.amount for event in published_events(OrderPaid)] == [1_900]
    product.stock.refresh_from_db()
    assert (product.stock.on_hand, product.stock.sold) == (1, 1)


def test_an_order_of_a_customer_who_signed_in_is_theirs(
    client: Client, customer: User, order_of: Callable[..., Order]
) -> None:
    client.force_login(customer)

    order = order_of(quantity=2, quiet=True)

    assert order.customer_id == customer.id
    assert order.number in client.get(reverse("orders:list")).content.decode()
    assert [event.order_id for event in published_events(OrderPlaced)] == [order.id]
    assert published_events(StockReserved) == []


def test_a_factory_takes_each_field_and_makes_no_two_alike() -> None:
    first, second = ProductFactory(price=500, pieces=7), ProductFactory(pieces=0)

    assert (first.price, first.stock.on_hand) == (500, 7)
    assert first.sku != second.sku and first.slug != second.slug
    assert CustomerFactory().email != CustomerFactory(name="Grace Hopper").email


def test_a_customer_with_a_password_signs_in(client: Client) -> None:
    customer = CustomerFactory(password="difference engine no. 2")

    client.post("/accounts/sign-in/", {"login": customer.email, "password": "difference engine no. 2"})

    assert client.session["_auth_user_id"] == str(customer.id)
