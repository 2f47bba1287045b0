"""The eight demo products, with which a new shop opens."""

import json
from io import StringIO
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from eventbus.testing import published_events
from mcommerce.events import ProductPublished
from mcommerce.products.models import Product
from tests.mcommerce.products.conftest import left

pytestmark = pytest.mark.django_db
PRICES = {
    "Bougie fonctionnant au feu": 22,
    "Chaise pour s’asseoir": 95,
    "Cheval pour nains": 360,
    "Coq of steel": 620,
    "Flacon à frotter avec un génie dedans": 1200,
    "Horloge quantique": 180,
    "Table d’opération pour hamsters": 210,
    "Vase ayant appartenu à Zeus": 730,
}


def load() -> dict[str, object]:
    out = StringIO()
    call_command("load_demo_catalogue", "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_eight_products_are_for_sale_at_their_prices_at_speaking_addresses(client: Client) -> None:
    assert load() == {"added": list(PRICES), "kept": 0}

    assert {one.title["fr"]: one.price for one in published_events(ProductPublished)} == {
        title: euros * 100 for title, euros in PRICES.items()
    }
    for product in Product.objects.all():
        assert finders.find(product.image)
        assert product.title["en"]
        assert product.description["en"]
        assert left(product)[0] > 0
    assert client.get("/products/flacon-a-frotter-avec-un-genie-dedans/").status_code == 200


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 1), ("CHF", 100), ("KWD", 1_000)])
def test_the_products_are_sold_in_the_shops_own_currency(currency: str, minor: int, settings: Any) -> None:
    settings.SHOP_CURRENCY = currency

    load()

    assert set(Product.objects.values_list("currency", flat=True)) == {currency}
    assert Product.objects.get(sku="DEMO-VASE").price == PRICES["Vase ayant appartenu à Zeus"] * minor


def test_loading_again_leaves_what_the_merchant_changed() -> None:
    load()
    Product.objects.filter(sku="DEMO-VASE").update(price=1)

    assert load() == {"added": [], "kept": 8}

    assert Product.objects.get(sku="DEMO-VASE").price == 1
    assert len(published_events(ProductPublished)) == 8
