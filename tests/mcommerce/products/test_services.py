"""What is saved at the desk is what the rest of the shop hears."""

from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from eventbus.testing import published_events
from mcommerce.events import ProductPublished, ProductStockChanged, ProductWithdrawn
from mcommerce.products.models import OldSlug, Product
from mcommerce.products.services import catalogue, stock
from tests.mcommerce.products.conftest import NOW, put_on_shelf

pytestmark = pytest.mark.django_db


def test_a_product_for_sale_is_told_with_everything_others_need() -> None:
    vase = put_on_shelf("Vase", image="products/demo/vase.svg")

    assert published_events(ProductPublished) == [
        ProductPublished(
            product_id=vase.id,
            sku="VASE",
            slug="vase",
            title={"fr": "Vase"},
            price=1_900,
            currency="EUR",
            tax_rate=2_000,
            image="/static/products/demo/vase.svg",
            version=1,
            thumbnail="/static/products/demo/vase.svg",
        )
    ]


def test_a_draft_is_nobodys_business_until_it_is_for_sale() -> None:
    vase = put_on_shelf(published=False, pieces=3)
    assert not published_events(ProductPublished)

    catalogue.publish_product(product_id=vase.id, now=NOW)

    assert [one.version for one in published_events(ProductPublished)] == [2]
    assert published_events(ProductStockChanged)[-1].available == 3


def test_taking_off_sale_is_told_once() -> None:
    vase = put_on_shelf()

    for _again in range(2):
        catalogue.withdraw_product(product_id=vase.id, now=NOW)

    assert published_events(ProductWithdrawn) == [ProductWithdrawn(product_id=vase.id, version=2)]
    assert not Product.objects.get().published


def test_of_two_who_change_a_product_at_once_the_later_is_refused() -> None:
    first, second = put_on_shelf(), Product.objects.get()
    first.price, second.price = 1_000, 2_000
    catalogue.save_product(product=first, now=NOW)

    with pytest.raises(catalogue.ProductChangedMeanwhile):
        catalogue.save_product(product=second, now=NOW)

    assert Product.objects.get().price == 1_000


@pytest.mark.parametrize("service", [catalogue.publish_product, catalogue.withdraw_product])
def test_a_product_that_is_not_there_is_unknown(service) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(catalogue.ProductUnknown):
        service(product_id=uuid4(), now=NOW)


@pytest.mark.parametrize("wrong", [{"price": -1}, {"tax_rate": 10_001}, {"currency": ""}])
def test_the_database_refuses_prices_that_make_no_sense(wrong: dict[str, object]) -> None:
    vase = put_on_shelf()

    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.filter(id=vase.id).update(**wrong)


def test_nothing_is_told_when_saving_fails() -> None:
    put_on_shelf()

    with pytest.raises(IntegrityError), transaction.atomic():
        put_on_shelf("Vase", slug="another")

    assert len(published_events(ProductPublished)) == 1
    assert stock.Stock.objects.count() == 1


def test_a_module_that_starts_late_hears_of_all_that_is_for_sale(capsys: pytest.CaptureFixture[str]) -> None:
    vase, _draft = put_on_shelf(pieces=3), put_on_shelf("Book", published=False)
    [before], stock_before = published_events(ProductPublished), published_events(ProductStockChanged)[-1]

    call_command("publish_catalogue")

    assert published_events(ProductPublished) == [before, before]  # whoever knows its version changes nothing
    assert published_events(ProductStockChanged)[-1] == stock_before
    assert (before.product_id, stock_before.available) == (vase.id, 3)
    assert capsys.readouterr().out == "Published 1 products.\n"


def test_a_new_address_keeps_the_old_one_leading_there_until_another_product_takes_it(client: Client) -> None:
    vase = put_on_shelf()
    for slug in ("amphora", "vase", "amphora"):
        vase.slug = slug
        catalogue.save_product(product=vase, now=NOW)

    assert [one.version for one in published_events(ProductPublished)] == [1, 2, 3, 4]
    assert list(OldSlug.objects.values_list("slug", flat=True)) == ["vase"]
    moved = client.get("/products/vase/")
    assert (moved.status_code, moved["Location"]) == (301, "/products/amphora/")

    put_on_shelf("Vase", sku="OTHER")

    assert not OldSlug.objects.exists()
