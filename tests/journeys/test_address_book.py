"""Checkout offers the addresses of one's account, in the countries that the shop sends to."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from mcommerce.accounts.models import Address
from mcommerce.orders.models import Order
from mcommerce.products.models import Product
from tests.journeys.conftest import ANSWERS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock")]

OFFICE = {
    "recipient": "Ada & Söhne",
    "street": "5 quai « du Rhône »",
    "extra": "3rd floor",
    "postal_code": "1204",
    "city": "Genève",
    "country": "CH",
}


@pytest.fixture
def ada(browser: Client, vase: Product) -> Any:
    """Signed in, with a vase in the cart."""
    user = get_user_model().objects.create_user(email="ada@example.com", name="Ada")
    browser.force_login(user)
    browser.post(reverse("orders:add"), {"product_id": vase.id, "quantity": 1})
    return user


def buttons(page: Any) -> list[str]:
    return re.findall(r'name="address" value="([^"]*)"', page.content.decode())


def countries_of(page: Any) -> list[tuple[str, str]]:
    return [(str(code), str(name)) for code, name in page.context["form"].fields["country"].choices]


def test_an_address_is_filled_in_with_one_press_and_nothing_typed_is_lost(browser: Client, ada: Any) -> None:
    Address.objects.create(user=ada, **OFFICE)
    page = browser.get(reverse("orders:checkout"))
    [pressed] = page.context["address_book"]
    assert buttons(page) == [pressed.written.replace("&", "&amp;")]
    typed = {**ANSWERS, "email": "typed@example.com", "token": uuid4(), "seen": page.context["seen"]}

    filled = browser.post(reverse("orders:checkout"), {**typed, "address": pressed.written})

    assert Order.objects.count() == 0
    shown = filled.context["form"].initial
    assert {name: shown[name] for name in ("name", "street", "extra", "postal_code", "city", "country")} == {
        "name": OFFICE["recipient"],
        **{name: OFFICE[name] for name in ("street", "extra", "postal_code", "city", "country")},
    }
    assert shown["email"] == "typed@example.com"
    assert 'name="terms"' in filled.content.decode()
    sent = {name: shown[name] for name in (*ANSWERS, "extra")}
    browser.post(reverse("orders:checkout"), {**sent, "token": typed["token"], "seen": filled.context["seen"]})
    assert Order.objects.values_list("street", "country", "email").get() == (
        OFFICE["street"],
        "CH",
        "typed@example.com",
    )


def test_nobody_is_offered_somebody_elses_addresses(browser: Client, ada: Any, vase: Product) -> None:
    eve = get_user_model().objects.create_user(email="eve@example.com")
    Address.objects.create(user=eve, **OFFICE)
    guest = Client()
    guest.post(reverse("orders:add"), {"product_id": vase.id, "quantity": 1})

    for visitor in (browser, guest):
        assert buttons(visitor.get(reverse("orders:checkout"))) == []


@pytest.mark.parametrize("sent", ["\0", "recipient=&country=ZZ", "%ff%fe=1&street"])
def test_an_address_that_is_none_is_shown_as_it_came_and_orders_nothing(browser: Client, ada: Any, sent: str) -> None:
    answer = browser.post(reverse("orders:checkout"), {**ANSWERS, "token": uuid4(), "seen": "", "address": sent})

    assert (answer.status_code, Order.objects.count()) == (200, 0)


@pytest.mark.parametrize(("language", "switzerland"), [("en", "Switzerland"), ("fr", "Suisse")])
def test_the_address_book_and_the_checkout_have_the_same_countries(
    browser: Client, ada: Any, language: str, switzerland: str
) -> None:
    spoken = {"accept-language": language}
    book = browser.get(reverse("accounts:add_address"), headers=spoken)
    checkout = browser.get(reverse("orders:checkout"), headers=spoken)

    assert countries_of(book) == countries_of(checkout)
    assert countries_of(book)[0] == ("FR", "France")
    assert ("CH", switzerland) in countries_of(book)


@pytest.mark.parametrize("page", ["checkout", "book"])
def test_a_country_no_longer_served_is_named_and_no_other_is_taken_in_its_place(
    browser: Client, ada: Any, page: str
) -> None:
    """A browser shows the first choice where the form's own is none of them."""
    address = Address.objects.create(user=ada, **{**OFFICE, "country": "US"})

    if page == "checkout":
        shown = browser.post(reverse("orders:checkout"), {**ANSWERS, "token": uuid4(), "address": address.written})
    else:
        shown = browser.get(reverse("accounts:edit_address", args=[address.id]))

    assert countries_of(shown)[0] == ("", "Choose a country")
    assert "We do not send to this country: United States." in shown.content.decode()
