"""A cart, from the first thing in it to the sign-in that pours it into another."""

from http.cookies import Morsel
from io import StringIO
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.contrib.auth.models import AbstractBaseUser
from django.core.management import call_command
from django.http import HttpRequest
from django.urls import reverse

from eventbus import clock
from mcommerce.events import ProductStockChanged, ProductWithdrawn
from mcommerce.orders.carts.cart import KEPT_FOR, LINES_MAX, QUANTITY_MAX
from mcommerce.orders.carts.cart_session import COOKIE
from mcommerce.orders.models import Cart, CartLine, Offer
from mcommerce.orders.services import offers
from tests.mcommerce.orders.conftest import Shopper, change_price, put_up


def withdraw(offer: Offer) -> None:
    offers.keep_withdrawn(ProductWithdrawn(product_id=offer.product_id, version=offer.version + 1))


def be_left(offer: Offer, pieces: int) -> None:
    """Have the orders hear that so many are free now."""
    version = Offer.objects.get(pk=offer.pk).stock_version + 1
    offers.keep_stock(ProductStockChanged(product_id=offer.product_id, available=pieces, version=version))


def sign_in(shopper: Shopper, user: AbstractBaseUser) -> None:
    """As the sign-in page does it: Django's own `login` with the browser's request."""
    request = HttpRequest()
    request.session = shopper.browser.session
    request.COOKIES = {name: morsel.value for name, morsel in shopper.browser.cookies.items()}
    login(request, user, backend="allauth.account.auth_backends.AuthenticationBackend")
    request.session.save()
    shopper.browser.cookies[settings.SESSION_COOKIE_NAME] = request.session.session_key


def quantities() -> list[int]:
    return list(CartLine.objects.values_list("quantity", flat=True))


def test_an_empty_cart_says_so_and_shows_the_way_out(shopper: Shopper) -> None:
    page = shopper.look_at_cart()

    assert "Nothing in here yet" in page
    assert Cart.objects.count() == 0, "looking makes no cart"


def test_what_is_put_in_is_shown_with_its_price_and_counted_on_every_page(shopper: Shopper) -> None:
    vase = put_up(price=1_900)

    shopper.add(vase, quantity=2)
    shopper.add(vase)

    page = shopper.look_at_cart()
    assert "Talking vase" in page
    assert "€57.00" in page
    assert "3 things in the cart" in page
    alone = shopper.browser.get(reverse("orders:count"))  # for pages that stay open
    assert 'data-count="3"' in alone.text
    assert "no-store" in alone["Cache-Control"]
    assert 'data-count="0"' in Shopper().browser.get(reverse("orders:count")).text


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(shopper: Shopper) -> None:
    shopper.add(put_up())

    cookie: Morsel[str] = shopper.browser.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert str(Cart.objects.get().id) in cookie.value
    thief = Shopper()
    thief.browser.cookies[COOKIE] = f"{Cart.objects.get().id}:forged:signature"
    assert "Nothing in here yet" in thief.look_at_cart()


@pytest.mark.parametrize("quantity", ["-1", "0", "many", "1.5", str(QUANTITY_MAX + 1), "99999999999999999999"])
def test_nobody_puts_in_nonsense_or_more_than_a_household_needs(shopper: Shopper, quantity: str) -> None:
    vase = put_up()

    refused = shopper.browser.post(
        reverse("orders:add"), {"product_id": vase.product_id, "quantity": quantity}, follow=True
    )

    assert quantities() == []
    assert f"between 1 and {QUANTITY_MAX}" in refused.content.decode()
    for _time in range(2):
        shopper.add(vase, quantity=QUANTITY_MAX)
    assert quantities() == [QUANTITY_MAX]


def test_a_cart_has_room_for_so_many_things(shopper: Shopper) -> None:
    for number in range(LINES_MAX + 1):
        shopper.add(put_up(sku=str(number)))

    assert len(quantities()) == LINES_MAX


def test_what_is_not_for_sale_is_not_put_in(shopper: Shopper) -> None:
    vase = put_up()
    withdraw(vase)

    shopper.add(vase)

    assert "That is not for sale any more." in shopper.look_at_cart()
    assert quantities() == []


def test_what_is_removed_can_be_put_back(shopper: Shopper) -> None:
    vase = put_up()
    shopper.add(vase, quantity=3)

    way_back = shopper.change(vase, 0).url
    page = shopper.browser.get(way_back)

    assert quantities() == []
    assert "Talking vase is out of the cart." in page.content.decode()
    removed = page.context["removed"]
    shopper.add(removed["offer"], quantity=removed["quantity"])
    assert quantities() == [3]
    assert shopper.browser.get(way_back).context["removed"] is None, "it was taken"


def test_a_new_price_is_shown_and_must_be_agreed_to(shopper: Shopper) -> None:
    vase = put_up(price=1_900)
    shopper.add(vase)
    change_price(vase, 2_100)

    page = shopper.look_at_cart()
    assert "The price was €19.00" in page
    assert reverse("orders:checkout") not in page

    shopper.browser.post(reverse("orders:agree"))
    page = shopper.look_at_cart()
    assert "The price was" not in page
    assert reverse("orders:checkout") in page


def test_what_is_withdrawn_is_shown_costs_nothing_and_leaves_when_agreed_to(shopper: Shopper) -> None:
    vase, watch = put_up(price=1_900), put_up(price=5_000, title={"en": "Slow clock"})
    shopper.add(vase)
    shopper.add(watch)
    withdraw(vase)

    page = shopper.look_at_cart()
    assert "No longer for sale" in page
    assert "€69.00" not in page

    shopper.browser.post(reverse("orders:agree"))
    assert list(CartLine.objects.values_list("product_id", flat=True)) == [watch.product_id]


def test_what_is_missing_is_shown_and_checking_out_waits_until_it_is_taken_as_it_is(shopper: Shopper) -> None:
    vase, horse, bowl = (put_up(title={"en": name}) for name in ("Vase", "Horse", "Bowl"))
    for offer in (vase, horse, bowl):
        shopper.add(offer, quantity=2)
    be_left(vase, 1)
    be_left(horse, 0)

    page = shopper.look_at_cart()
    assert "Only 1 left right now" in page
    assert "Sold out right now" in page
    assert f'href="{reverse("orders:checkout")}"' not in page
    assert "disabled" in page
    assert "Checking out waits until you want no more than is there." in page
    assert shopper.browser.get(reverse("orders:checkout")).url == reverse("orders:cart")

    shopper.change(bowl, 1)
    page = shopper.browser.post(reverse("orders:take"), follow=True).content.decode()
    assert quantities() == [1, 1]
    assert "left right now" not in page
    assert f'href="{reverse("orders:checkout")}"' in page

    for offer in (vase, bowl):
        be_left(offer, 0)
    page = shopper.browser.post(reverse("orders:take"), follow=True).content.decode()
    assert "Nothing of it is left right now." in page
    assert "Nothing in here yet" in page


def test_signing_in_pours_the_guests_cart_into_the_customers(shopper: Shopper) -> None:
    vase, watch = put_up(), put_up(title={"en": "Slow clock"})
    ada = get_user_model().objects.create_user(email="ada@example.com")
    at_home = Shopper()
    at_home.browser.force_login(ada)
    at_home.add(vase, quantity=QUANTITY_MAX - 1)
    shopper.add(vase, quantity=2)
    shopper.add(watch)

    sign_in(shopper, ada)

    assert quantities() == [QUANTITY_MAX, 1]
    assert "Slow clock" in shopper.look_at_cart()
    assert "Slow clock" in at_home.look_at_cart()


def test_a_customers_cart_stays_theirs_after_signing_out(shopper: Shopper) -> None:
    ada = get_user_model().objects.create_user(email="ada@example.com")
    shopper.add(put_up())
    sign_in(shopper, ada)
    shopper.add(put_up(title={"en": "Slow clock"}))

    del shopper.browser.cookies[settings.SESSION_COOKIE_NAME]  # as signing out does; the cart's cookie stays

    assert COOKIE in shopper.browser.cookies
    assert "Nothing in here yet" in shopper.look_at_cart()


def test_a_cart_that_nobody_can_come_back_to_is_forgotten(shopper: Shopper) -> None:
    customer = Shopper()
    customer.browser.force_login(get_user_model().objects.create_user(email="ada@example.com"))
    for somebody in (shopper, customer):
        somebody.add(put_up())
    clock.advance(days=KEPT_FOR.days, seconds=1)
    Shopper().add(put_up())
    said = StringIO()

    call_command("forget_carts", stdout=said)

    assert said.getvalue() == "Carts forgotten: 1.\n"
    assert Cart.objects.count() == 2, "the customer's and the fresh one stay"


def test_a_form_that_a_browser_sends_again_for_want_of_an_answer_adds_nothing_more(shopper: Shopper) -> None:
    """The proxy tells which request it was; another press of the button is another request."""
    vase, sent = put_up(), uuid4()
    form = {"product_id": vase.product_id, "quantity": 1}

    shopper.add(vase)
    shopper.browser.post("/cart/add/", form, headers={"X-Request-Id": str(sent)})
    shopper.browser.post(f"/cart/add/?again={sent}&", form, headers={"X-Request-Id": str(uuid4())})
    shopper.browser.post("/cart/add/?again=nonsense", form, headers={"X-Request-Id": str(uuid4())})

    assert [line.quantity for line in CartLine.objects.all()] == [3]
