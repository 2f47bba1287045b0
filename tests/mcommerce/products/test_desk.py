"""The merchant keeps the catalogue and the stock at the desk."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
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


def test_two_products_of_one_title_get_two_addresses(desk: Client, write_down: Filled) -> None:
    desk.post(ADD, write_down())
    desk.post(ADD, write_down(sku="HORSE-2"))

    assert sorted(Product.objects.values_list("slug", flat=True)) == ["cheval", "cheval-2"]


def test_the_form_shows_what_is_kept_and_the_history_of_the_stock(desk: Client, write_down: Filled) -> None:
    desk.post(ADD, write_down(received_now="7", stock_note="from the smith"))

    page = desk.get(change(Product.objects.get())).content.decode()

    assert 'value="19.90"' in page
    assert 'value="Horse"' in page
    assert "from the smith" in page


def test_a_change_at_the_desk_is_told_to_the_shop(desk: Client, write_down: Filled) -> None:
    horse = put_on_shelf("Cheval")

    desk.post(change(horse), write_down(horse, price="25"))

    assert [one.price for one in published_events(ProductPublished)] == [1_900, 2_500]


def test_whoever_saves_over_someone_elses_change_is_told(desk: Client, write_down: Filled) -> None:
    horse = put_on_shelf("Cheval")
    seen = write_down(horse, price="25")
    desk.post(change(horse), write_down(horse, price="30"))

    answer = desk.post(change(horse), seen)

    assert "Somebody else saved this product meanwhile" in answer.content.decode()
    assert Product.objects.get().price == 3_000


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


def test_a_product_is_put_up_for_sale_again(desk: Client) -> None:
    horse = put_on_shelf("Cheval", published=False)

    desk.post("/admin/products/product/", {"action": "put_up_for_sale", "_selected_action": [str(horse.id)]})

    assert published_events(ProductPublished)[0].product_id == horse.id


def test_the_history_of_the_stock_cannot_be_rewritten(desk: Client) -> None:
    put_on_shelf("Cheval", pieces=5)
    movement = StockMovement.objects.get()

    assert desk.get("/admin/products/stockmovement/").status_code == 200
    assert desk.get("/admin/products/stockmovement/add/").status_code == 403
    assert desk.post(f"/admin/products/stockmovement/{movement.id}/change/", {"quantity": 9}).status_code == 403


@pytest.mark.parametrize("words", ["operation", "Opération", "table opér", "TABLE-1", "table-1"])
def test_a_product_is_found_by_its_words_and_number_whatever_the_accents(desk: Client, words: str) -> None:
    put_on_shelf("Table d’opération", sku="TABLE-1", slug="table")
    put_on_shelf("Vase")

    page = desk.get("/admin/products/product/", {"q": words}).content.decode()

    assert "TABLE-1" in page
    assert "VASE" not in page


def test_a_reservation_can_be_looked_up_by_its_order(desk: Client) -> None:
    order, horse = uuid4(), put_on_shelf("Cheval", pieces=5)
    stock.reserve_stock(order_id=order, lines=[line(horse, 4)], now=NOW)

    page = desk.get(f"/admin/products/reservation/?q={order}")

    assert str(order) in page.content.decode()
    assert desk.get(f"/admin/products/reservation/{order}/change/").status_code == 200


def test_a_reservations_page_offers_no_choice_among_all_products(desk: Client) -> None:
    order, horse = uuid4(), put_on_shelf("Cheval", pieces=5)
    put_on_shelf("Vase")
    stock.reserve_stock(order_id=order, lines=[line(horse, 4)], now=NOW)

    page = desk.get(f"/admin/products/reservation/{order}/change/").content.decode()

    assert "Cheval" in page
    assert "Vase" not in page


def test_a_drawing_that_is_not_there_is_refused(desk: Client, write_down: Filled) -> None:
    answer = desk.post(ADD, write_down(image="products/demo/unicorn.svg"))

    assert answer.context["adminform"].form.errors["image"]
