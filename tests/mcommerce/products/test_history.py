"""What the desk remembers of a product and its stock: who changed what, and from what."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from mcommerce.products.models import Product, StockMovement
from tests.mcommerce.products.conftest import put_on_shelf

ADD = "/admin/products/product/add/"
Filled = Callable[..., dict[str, Any]]


def change(product: Product) -> str:
    return f"/admin/products/product/{product.id}/change/"


def history_of(desk: Client, product: Product) -> list[str]:
    """What the desk says was done to the product, oldest first, each with who."""
    page = desk.get(f"/admin/products/product/{product.id}/history/")
    return [f"{entry.user}: {entry.get_change_message()}" for entry in page.context["action_list"]]


def test_a_changed_price_says_who_and_what_it_was(desk: Client, write_down: Filled) -> None:
    desk.post(ADD, write_down())
    horse = Product.objects.get()

    desk.post(change(horse), write_down(price="25", title_en="Mare", seen_version=horse.version, published=""))

    assert "Price: €19.90 → €25.00." in history_of(desk, horse)[-1]
    assert "Changed: Title (English), Address of the page." in history_of(desk, horse)[-1]
    assert history_of(desk, horse)[-1].startswith("desk@example.com: ")


def test_a_changed_vat_rate_and_a_product_taken_off_sale_say_what_they_were(desk: Client, write_down: Filled) -> None:
    desk.post(ADD, write_down())
    horse = Product.objects.get()

    desk.post(change(horse), write_down(horse, slug=horse.slug, tax_rate="5.5", published=""))

    assert "VAT rate: 20% → 5.5%." in history_of(desk, horse)[-1]
    assert "For sale: yes → no." in history_of(desk, horse)[-1]


def test_the_history_is_written_in_the_language_of_who_changes(desk: Client, write_down: Filled) -> None:
    desk.post(ADD, write_down())
    horse = Product.objects.get()
    desk.cookies["django_language"] = "fr"

    desk.post(change(horse), write_down(price="25", slug=horse.slug, seen_version=horse.version, lost_now=""))

    assert history_of(desk, horse)[-1].endswith("Prix : 19,90\N{NO-BREAK SPACE}€ → 25,00\N{NO-BREAK SPACE}€.")


def test_whoever_puts_up_or_takes_off_sale_is_in_the_history_once(desk: Client) -> None:
    vase = put_on_shelf("vase")

    for action in ("take_off_sale", "take_off_sale", "put_up_for_sale"):
        desk.post("/admin/products/product/", {"action": action, "_selected_action": [str(vase.id)]})

    assert history_of(desk, vase) == ["desk@example.com: Taken off sale.", "desk@example.com: Put up for sale."]


def test_a_stock_movement_says_who(desk: Client, write_down: Filled) -> None:
    desk.post(ADD, write_down(received_now="7"))
    get_user_model().objects.update(name="Grace Hopper")
    horse = Product.objects.get()

    assert StockMovement.objects.get().by == get_user_model().objects.get().pk
    for address in ("/admin/products/stockmovement/", change(horse)):
        assert "Grace Hopper</td>" in desk.get(address).content.decode()
