"""A shop with two vases, and somebody with a browser who orders them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from eventbus.testing import settle
from mcommerce.orders.models import Order
from mcommerce.payment.models import Attempt
from mcommerce.products.models import Product
from tests import purchase_steps
from tests.journeys.order_queries import page_of, staff, state_of
from tests.journeys.provider_stub import KEY, SECRET, Company

GOOD_CARD = purchase_steps.GOOD_CARD["number"]
ANSWERS = purchase_steps.ANSWERS


@pytest.fixture
def vase(product: Product) -> Product:
    """Two vases for sale at €19."""
    return product


@pytest.fixture
def browser(client: Client) -> Client:
    return client


@pytest.fixture
def company(settings: Any, tmp_path: Path) -> Iterator[Company]:
    """A payment provider on a port of its own, which can be away."""
    settings.SANDBOX_PROVIDER_KEY, settings.SANDBOX_WEBHOOK_SECRET = KEY, SECRET
    company = Company(tmp_path / "company.sqlite3", settings)
    yield company
    company.close()


@pytest.fixture
def paid_order(order_of: Callable[..., Order], browser: Client, company: Company) -> Order:
    """Ordered, and paid at the company."""
    order = order_of()
    company.type_card(page_of(browser, order), GOOD_CARD)
    browser.get(reverse("payment:return", args=[Attempt.objects.get().payment_id]))
    settle()
    assert state_of(order) == Order.State.PAID
    return order


@pytest.fixture
def operator(db: None) -> Client:
    """Staff who may see everything about an order."""
    return staff(
        "view_outboxrow",
        "view_order",
        "view_payment",
        "view_reservation",
        "view_product",
        "view_timer",
        "view_deadletter",
        "view_payload",
    )
