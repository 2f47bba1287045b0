"""A shop with two vases, and somebody with a browser who orders them."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.testing import settle
from mcommerce.orders.models import Order
from mcommerce.products.models import Product
from mcommerce.products.services import publish_product, save_product
from mcommerce.products.stock import receive_stock

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
