"""The merchant keeps the catalogue and the stock at the desk."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from eventbus.testing import published_events
from mcommerce.events import ProductPublished, ProductStockChanged, ProductWithdrawn
from mcommerce.products.models import Product, StockMovement
from mcommerce.products.services import stock
from tests.mcommerce.products.conftest import NOW, left, line, put_on_shelf

ADD = "/admin/products/product/add/"
Filled = Callable[..., dict[str, Any]]


def change(product: Product) -> str:
    return f"/admin/products/product/{product.id}/change/"


def test_a_product_is_put_up_with_words_price_and_first_pieces(desk: Client, write_down: Filled) -> None:
    answer = desk.post(ADD, write_down(received_now="7", stock_note="from the smith"))

    assert answer.status_code == 302
    horse = Product.objects.get()
    assert (horse.title, horse.price, horse.tax_rate) == ({"fr": "Cheval", "en": "Horse"}, 1_990, 2_000)
    assert (horse.slug, horse.currency) == ("cheval", "EUR")
    assert left(horse) == (7, 0, 0)
    assert published_events(ProductPublished)[0].price == 1_990
    assert published_events(ProductStockChanged)[-1].available == 7
    page = desk.get(change(horse)).content.decode()
    assert all(kept in page for kept in ('value="19.90"', 'value="Horse"', "from the smith"))

    desk.post(ADD, write_down(sku="HORSE-2"))
    assert sorted(Product.objects.values_list("slug", flat=True)) == ["cheval", "cheval-2"]


@pytest.mark.parametrize(
    ("typed", "cents"), [("22", 2_200), ("22.5", 2_250), ("1 234,56", 123_456), ("0", 0), ("22,00 €", 2_200)]
)
def test_prices_are_typed_as_people_write_them(desk: Client, write_down: Filled, typed: str, cents: int) -> None:
    desk.post(ADD, write_down(price=typed))

    assert Product.objects.get().price == cents


@pytest.mark.parametrize("typed", ["", "free", "-1", "1.999", "NaN", "Infinity", "1e99"])
def test_a_price_that_is_none_is_refused(desk: Client, write_down: Filled, typed: str) -> None:
    answer = desk.post(ADD, write_down(price=typed))

    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["price"]
    assert not Product.objects.exists()


def test_whoever_saves_over_someone_elses_change_is_told(desk: Client, write_down: Filled) -> None:
    horse = put_on_shelf("Cheval")
    seen = write_down(horse, price="25")
    desk.post(change(horse), write_down(horse, price="30"))

    answer = desk.post(change(horse), seen)

    assert "Somebody else saved this product meanwhile" in answer.content.decode()
    assert Product.objects.get().price == 3_000
    assert [one.price for one in published_events(ProductPublished)] == [1_900, 3_000]


def test_pieces_held_for_orders_cannot_be_written_off(desk: Client, write_down: Filled) -> None:
    horse = put_on_shelf("Cheval", pieces=5)
    stock.reserve_stock(order_id=uuid4(), lines=[line(horse, 4)], now=NOW)

    refused = desk.post(change(horse), write_down(horse, lost_now="2"))
    assert refused.context["adminform"].form.errors["lost_now"]
    desk.post(change(horse), write_down(horse, lost_now="1"))

    assert left(horse) == (4, 4, 0)


def test_a_product_is_taken_off_sale_never_deleted(desk: Client) -> None:
    horse = put_on_shelf("Cheval")

    assert desk.post(f"/admin/products/product/{horse.id}/delete/", {"post": "yes"}).status_code == 403
    desk.post("/admin/products/product/", {"action": "take_off_sale", "_selected_action": [str(horse.id)]})

    assert published_events(ProductWithdrawn)[0].product_id == horse.id
    assert Product.objects.filter(published=False).count() == 1


def test_the_history_of_the_stock_cannot_be_rewritten(desk: Client) -> None:
    put_on_shelf("Cheval", pieces=5)
    movement = StockMovement.objects.get()

    assert desk.get("/admin/products/stockmovement/").status_code == 200
    assert desk.get("/admin/products/stockmovement/add/").status_code == 403
    assert desk.post(f"/admin/products/stockmovement/{movement.id}/change/", {"quantity": 9}).status_code == 403


def test_a_reservations_page_offers_no_choice_among_all_products(desk: Client) -> None:
    order, horse = uuid4(), put_on_shelf("Cheval", pieces=5)
    put_on_shelf("Vase")
    stock.reserve_stock(order_id=order, lines=[line(horse, 4)], now=NOW)

    page = desk.get(f"/admin/products/reservation/{order}/change/").content.decode()

    assert str(order) in desk.get(f"/admin/products/reservation/?q={order}").content.decode()
    assert "Cheval" in page
    assert "Vase" not in page


@pytest.mark.parametrize("words", ["operation", "table opér", "table-1"])
def test_a_product_is_found_by_its_words_and_number_whatever_the_accents(desk: Client, words: str) -> None:
    put_on_shelf("Table d’opération", sku="TABLE-1", slug="table")
    put_on_shelf("Vase")

    page = desk.get("/admin/products/product/", {"q": words}).content.decode()

    assert ("TABLE-1" in page, "VASE" in page) == (True, False)


def test_a_drawing_that_is_not_there_is_refused(desk: Client, write_down: Filled) -> None:
    answer = desk.post(ADD, write_down(image="products/demo/unicorn.svg"))

    assert answer.context["adminform"].form.errors["image"]


def history_of(desk: Client, product: Product) -> list[str]:
    """What the desk says was done to the product, oldest first, each with who."""
    page = desk.get(f"/admin/products/product/{product.id}/history/")
    return [f"{entry.user}: {entry.get_change_message()}" for entry in page.context["action_list"]]


def test_whoever_puts_up_or_takes_off_sale_is_in_the_history_once(desk: Client) -> None:
    vase = put_on_shelf("vase")

    for action in ("take_off_sale", "take_off_sale", "put_up_for_sale"):
        desk.post("/admin/products/product/", {"action": action, "_selected_action": [str(vase.id)]})

    assert len(published_events(ProductWithdrawn)) == 1
    assert len(published_events(ProductPublished)) == 2
    assert history_of(desk, vase) == ["desk@example.com: Taken off sale.", "desk@example.com: Put up for sale."]


def test_a_stock_movement_says_who(desk: Client, write_down: Filled) -> None:
    desk.post(ADD, write_down(received_now="7"))
    get_user_model().objects.update(name="Grace Hopper")
    horse = Product.objects.get()

    assert StockMovement.objects.get().by == get_user_model().objects.get().pk
    for address in ("/admin/products/stockmovement/", change(horse)):
        assert "Grace Hopper</td>" in desk.get(address).content.decode()


@pytest.mark.parametrize(
    ("language", "changes", "said"),
    [
        ("en", {"price": "25", "title_en": "Mare", "published": ""}, ["Price: €19.90 → €25.00.", "Title (English)"]),
        ("en", {"tax_rate": "5.5", "published": ""}, ["VAT rate: 20% → 5.5%.", "For sale: yes → no."]),
        ("fr", {"price": "25", "lost_now": ""}, ["Prix : 19,90\N{NO-BREAK SPACE}€ → 25,00\N{NO-BREAK SPACE}€."]),
    ],
)
def test_a_change_says_who_and_what_it_was_in_their_language(
    desk: Client, write_down: Filled, language: str, changes: dict[str, str], said: list[str]
) -> None:
    desk.post(ADD, write_down())
    horse = Product.objects.get()
    desk.cookies["django_language"] = language

    desk.post(change(horse), write_down(horse, slug=horse.slug, **changes))

    told = history_of(desk, horse)[-1]
    assert told.startswith("desk@example.com: ")
    assert all(words in told for words in said)
