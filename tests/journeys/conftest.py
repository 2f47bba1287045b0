"""A shop with two vases, and somebody with a browser who orders them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.testing import settle
from mcommerce.orders.models import Order
from mcommerce.payment.models import Attempt
from mcommerce.products.models import Product
from mcommerce.products.services import publish_product, save_product
from mcommerce.products.stock import receive_stock

from .away import KEY, SECRET, Company
from .shop import page_of, state_of

GOOD_CARD = "4242424242424242"

ANSWERS = {
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "street": "12 rue des Fleurs",
    "postal_code": "69001",
    "city": "Lyon",
    "country": "FR",
    "language": "en",
    "terms": "on",
}


@pytest.fixture
def vase() -> Product:
    """Two vases for sale at €19."""
    product = Product(
        sku="VASE", slug="vase", title={"fr": "Vase", "en": "Vase"}, price=1_900, currency="EUR", tax_rate=2_000
    )
    save_product(product=product, now=clock.now())
    receive_stock(product_id=product.id, quantity=2, now=clock.now())
    publish_product(product_id=product.id, now=clock.now())
    settle()
    return product


@pytest.fixture
def browser() -> Client:
    return Client()


@pytest.fixture
def company(settings: Any, tmp_path: Path) -> Iterator[Company]:
    """A payment company on a port of its own, which can be away."""
    settings.SANDBOX_PROVIDER_KEY, settings.SANDBOX_WEBHOOK_SECRET = KEY, SECRET
    company = Company(tmp_path / "company.sqlite3", settings)
    yield company
    company.close()


@pytest.fixture
def order_of(browser: Client, vase: Product) -> Callable[..., Order]:
    """Puts vases into the cart and checks out; the shop answers unless told to keep quiet."""

    def check_out(quantity: int = 1, *, quiet: bool = False, by: Client = browser) -> Order:
        by.post(reverse("orders:add"), {"product_id": vase.id, "quantity": quantity})
        seen = by.get(reverse("orders:checkout")).context["seen"]
        answer = by.post(reverse("orders:checkout"), {**ANSWERS, "token": uuid4(), "seen": seen})
        if not quiet:
            settle()
        return Order.objects.get(id=answer.url.strip("/").split("/")[-1])

    return check_out


@pytest.fixture
def paid_order(order_of: Callable[..., Order], browser: Client, company: Company) -> Order:
    """Ordered, and paid at the company."""
    order = order_of()
    company.type_card(page_of(browser, order), GOOD_CARD)
    browser.get(reverse("payment:return", args=[Attempt.objects.get().payment_id]))
    settle()
    assert state_of(order) == Order.State.PAID
    return order
