"""Fixtures of the shop that a test in any folder may ask for: a customer, a product, an order placed or paid.

They use all modules, as the site does. A test of one module alone makes its events with `sample` instead. The modules
are imported where they are used, since pytest loads this file on a site that lacks one of them too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.db import transaction
from django.test import Client

from eventbus import publish
from eventbus.testing import sample, settle
from mcommerce.events import PaymentSucceeded
from tests import purchase_steps

if TYPE_CHECKING:
    from mcommerce.accounts.models import User
    from mcommerce.orders.models import Order
    from mcommerce.products.models import Product


@pytest.fixture
def customer(db: None) -> User:
    """A customer with an account. `client.force_login(customer)` signs them in."""
    from tests.factories import CustomerFactory

    return CustomerFactory()


@pytest.fixture
def product(db: None) -> Product:
    """A product for sale at €19, two pieces of it, which all modules know of."""
    from tests.factories import ProductFactory

    product = ProductFactory()
    settle()
    return product


@pytest.fixture
def order_of(client: Client, product: Product) -> Callable[..., Order]:
    """Return a function that orders pieces of the product in a browser, `client` by default.

    With `quiet=True` the order's events are published and not handled yet.
    """

    from mcommerce.orders.models import Order

    def check_out(quantity: int = 1, *, quiet: bool = False, by: Client = client) -> Order:
        order_id = purchase_steps.check_out(by, product.id, quantity)
        if not quiet:
            settle()
        return Order.objects.get(id=order_id)

    return check_out


@pytest.fixture
def placed_order(order_of: Callable[..., Order]) -> Order:
    """An order of one piece, which is held for it: the order awaits its payment."""
    return order_of()


@pytest.fixture
def paid_order(placed_order: Order) -> Order:
    """The placed order after its payment, by an event that no payment provider was asked for."""
    paid = sample(PaymentSucceeded, order_id=placed_order.id, amount=placed_order.total, currency=placed_order.currency)
    with transaction.atomic():
        publish(paid)
    settle()
    placed_order.refresh_from_db()
    return placed_order
