"""Things on the shelf, and the people at the desk who put them there."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from mcommerce.events import StockLine
from mcommerce.products.models import Product
from mcommerce.products.services import catalogue, stock

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def put_on_shelf(name: str = "Vase", *, pieces: int = 0, **fields: Any) -> Product:
    """A product for sale, with so many pieces of it."""
    facts: dict[str, Any] = {
        "sku": name.upper()[:40],
        "slug": name.lower().replace(" ", "-"),
        "title": {"fr": name},
        "price": 1_900,
        "currency": "EUR",
        "tax_rate": 2_000,
        "published": True,
    } | fields
    product = Product(**facts)
    catalogue.save_product(product=product, now=NOW)
    if pieces:
        stock.receive_stock(product_id=product.id, quantity=pieces, now=NOW)
    return product


def line(product: Product, quantity: int) -> StockLine:
    return StockLine(product_id=product.id, quantity=quantity)


def left(product: Product) -> tuple[int, int, int]:
    """On the shelf, held, sold."""
    row = type(product.stock).objects.get(product=product)
    return row.on_hand, row.held, row.sold


@pytest.fixture
def desk(db: None) -> Client:
    """A browser in which a member of staff is signed in."""
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("desk@example.com"))
    return client


@pytest.fixture
def write_down() -> Callable[..., dict[str, Any]]:
    """What the desk's form about a product sends."""

    def filled(product: Product | None = None, **changes: Any) -> dict[str, Any]:
        words = {
            "title_fr": "Cheval",
            "title_en": "Horse",
            "description_fr": "Pour nains",
            "description_en": "For dwarfs",
            "sku": "HORSE",
            "price": "19,90",
            "tax_rate": "20",
            "slug": "",
            "image": "",
            "published": "on",
            "seen_version": product.version if product else 0,
        }
        return words | changes

    return filled
