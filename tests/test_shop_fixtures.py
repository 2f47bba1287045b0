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
