"""What is for sale, as the orders hear of it: the newest word wins, however it comes."""

from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import transaction

from eventbus import publish
from eventbus.models import OutboxRow
from eventbus.testing import settle
from mcommerce.events import ProductPublished, ProductStockChanged, ProductWithdrawn
from mcommerce.orders.models import Offer
from mcommerce.orders.services import offers
from tests.mcommerce.orders.conftest import put_up

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("pictures", "shown"),
    [({"image": "/vase.webp", "thumbnail": "/vase-cart.webp"}, "/vase-cart.webp"), ({"image": "/v.svg"}, "/v.svg")],
)
def test_a_line_of_a_cart_shows_the_small_picture_where_there_is_one(pictures: dict[str, str], shown: str) -> None:
    assert put_up(**pictures).image == shown


@pytest.mark.parametrize(("version", "price"), [(1, 1_900), (2, 1_900), (3, 5)])
def test_a_newer_word_replaces_an_older_one_and_never_the_other_way(version: int, price: int) -> None:
    vase = put_up(price=1_900, version=2, title={"de": "Nur deutsch"})
    assert vase.name == "Nur deutsch"

    put_up(price=5, version=version, product_id=vase.product_id)

    assert Offer.objects.get().price == price


def test_a_withdrawn_product_keeps_its_name_and_can_come_back() -> None:
    vase = put_up(version=1)
    offers.keep_withdrawn(ProductWithdrawn(product_id=vase.product_id, version=2))
    assert (Offer.objects.get().for_sale, Offer.objects.get().name) == (False, "Talking vase")

    put_up(version=3, product_id=vase.product_id)

    assert Offer.objects.get().for_sale is True


def test_an_old_publication_does_not_bring_a_withdrawn_product_back() -> None:
    product_id = uuid4()
    offers.keep_withdrawn(ProductWithdrawn(product_id=product_id, version=2))

    put_up(version=1, product_id=product_id)

    assert Offer.objects.get().for_sale is False


def test_stock_has_versions_of_its_own() -> None:
    vase = put_up(version=7)
    for version, available in ((0, 3), (2, 5), (1, 4)):
        offers.keep_stock(ProductStockChanged(product_id=vase.product_id, available=available, version=version))

    assert (Offer.objects.get().available, Offer.objects.get().version) == (5, 7)


def test_a_replay_of_all_that_was_told_changes_no_offer_and_mends_a_damaged_one() -> None:
    words = {"sku": "VASE-1", "slug": "vase", "title": {"fr": "Vase"}, "currency": "EUR", "tax_rate": 2_000}
    vase, chair = uuid4(), uuid4()
    with transaction.atomic():
        publish(
            ProductPublished(product_id=vase, price=1_900, image="", version=1, **words),
            ProductPublished(product_id=chair, price=5_000, image="", version=1, **words),
            ProductStockChanged(product_id=vase, available=3, version=1),
            ProductPublished(product_id=vase, price=2_100, image="", version=2, **words),
            ProductStockChanged(product_id=vase, available=2, version=2),
            ProductWithdrawn(product_id=chair, version=2),
        )
    settle()
    kept, told = list(Offer.objects.order_by("product_id").values()), OutboxRow.objects.count()
    replay = ("eventbus", "replay", "orders", "--topic", "products", "--all", "--json")

    call_command(*replay)
    assert list(Offer.objects.order_by("product_id").values()) == kept

    Offer.objects.update(price=1, version=0, for_sale=True, available=None, stock_version=-1)
    call_command(*replay)
    assert list(Offer.objects.order_by("product_id").values()) == kept
    assert OutboxRow.objects.count() == told
