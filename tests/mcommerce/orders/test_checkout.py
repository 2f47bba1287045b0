"""Checking out: from what lies in the cart to one order at the shop's prices."""

from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from eventbus.models import Timer
from eventbus.testing import published_events
from mcommerce.events import OrderPlaced
from mcommerce.orders import access
from mcommerce.orders.models import Cart, CartLine, Order
from mcommerce.orders.services.checkout import CartChanged, EmptyCart, place_order
from mcommerce.orders.services.vat import tax_within
from tests.mcommerce.orders.conftest import ANSWERS, BUYER, NOW, Shopper, change_price, put_up


def test_a_guest_orders_what_is_in_the_cart(shopper: Shopper, settings: object) -> None:
    vase, clock = put_up(price=1_900), put_up(price=5_000, tax_rate=550, slug="clock")
    shopper.add(vase, quantity=3)
    shopper.add(clock)

    answer = shopper.check_out(country="BE")

    order = Order.objects.get()
    assert answer.url == reverse("orders:order", args=[order.id])
    assert (order.total, order.currency, order.country, order.customer_id) == (10_700, "EUR", "BE", None)
    assert list(order.lines.values_list("title__en", "quantity", "unit_price", "total")) == [
        ("Talking vase", 3, 1_900, 5_700),
        ("Talking vase", 1, 5_000, 5_000),
    ]
    assert order.expires_at - order.placed_at == timedelta(minutes=settings.ORDER_PAYMENT_MINUTES)
    assert CartLine.objects.count() == 0
    [told] = published_events(OrderPlaced)
    assert [(line.product_id, line.quantity, line.unit_price) for line in told.lines] == [
        (vase.product_id, 3, 1_900),
        (clock.product_id, 1, 5_000),
    ]
    assert (told.total, told.expires_at) == (order.total, order.expires_at)
    assert shopper.browser.get(answer.url).status_code == 200


def test_the_deadline_is_set_with_the_order(placed: Callable[..., Order]) -> None:
    order = placed()

    timer = Timer.objects.get(type="order.expired_check.v1")
    assert (timer.due, timer.key) == (order.expires_at, str(order.id))


def test_vat_is_taken_out_of_each_line_and_rounded_half_up(placed: Callable[..., Order]) -> None:
    order = placed(put_up(price=1_000, tax_rate=2_000), put_up(price=999, tax_rate=550))

    assert [line.tax for line in order.lines.all()] == [167, 52]
    assert order.tax == 219


@given(st.integers(0, 10**9), st.integers(0, 10_000))
def test_vat_is_the_nearest_cent_and_half_a_cent_goes_up(total: int, rate: int) -> None:
    tax = tax_within(total, rate)

    exact = Fraction(total * rate, 10_000 + rate)
    assert exact - Fraction(1, 2) < tax <= exact + Fraction(1, 2)


@pytest.mark.parametrize("name", ["", "Ada Lovelace"])
def test_at_a_first_checkout_a_customer_is_called_as_they_call_themselves(
    name: str, person: Callable[..., Shopper]
) -> None:
    """No parcel takes an e-mail address for a name."""
    shopper = person("ada@example.com", name=name)
    shopper.add(put_up())

    form = shopper.browser.get(reverse("orders:checkout")).context["form"]

    assert (form["email"].value(), form["name"].value()) == ("ada@example.com", name)


def test_the_same_form_sent_twice_is_one_order(shopper: Shopper) -> None:
    shopper.add(put_up())
    token = uuid4()

    first, second = (shopper.check_out(token=token) for _time in range(2))

    assert first.url == second.url
    assert Order.objects.count() == 1
    assert len(published_events(OrderPlaced)) == 1


def test_a_price_that_changed_since_it_was_agreed_to_is_not_charged(shopper: Shopper) -> None:
    vase = put_up(price=1_900)
    shopper.add(vase)
    change_price(vase, 9_900)

    answer = shopper.check_out()

    assert answer.status_code == 409
    assert "Talking vase costs €99.00 instead of €19.00." in answer.content.decode()
    assert Order.objects.count() == 0


def test_a_price_that_the_browser_sends_means_nothing(shopper: Shopper) -> None:
    vase = put_up(price=1_900)
    shopper.browser.post(reverse("orders:add"), {"product_id": vase.product_id, "quantity": 1, "price": 1})

    shopper.check_out(price="1", total="1", agreed_price="1")

    assert Order.objects.get().total == 1_900


def test_two_currencies_are_two_orders(shopper: Shopper) -> None:
    vase, clock = put_up(1_900, currency="EUR"), put_up(2_500, currency="CHF")
    shopper.add(vase)
    seen = shopper.see_checkout()
    shopper.add(clock)

    basket = shopper.look_at_cart()
    assert "different currencies" in basket
    assert reverse("orders:checkout") not in basket
    assert "€19.00" in basket
    assert "CHF\N{NO-BREAK SPACE}25.00" in basket
    assert "44.00" not in basket, "no sum of euros and francs"
    assert shopper.browser.get(reverse("orders:checkout")).url == reverse("orders:cart")

    answer = shopper.check_out(seen=seen, street="1 quai de Bondy")

    assert answer.status_code == 409
    page = answer.content.decode()
    assert "different currencies" in page
    assert "44.00" not in page
    assert "1 quai de Bondy" in page, "what was typed stays"
    assert Order.objects.count() == 0
    shopper.change(clock, 0)
    shopper.check_out()
    assert Order.objects.get().currency == "EUR"


def test_an_empty_cart_is_not_ordered(db: None) -> None:
    with pytest.raises(EmptyCart):
        place_order(cart_id=None, buyer=BUYER, token=uuid4(), now=NOW)


def test_a_refused_order_leaves_the_cart_as_it_was(shopper: Shopper) -> None:
    vase = put_up()
    shopper.add(vase)
    change_price(vase, 2_000)

    with pytest.raises(CartChanged):
        place_order(cart_id=Cart.objects.get().id, buyer=BUYER, token=uuid4(), now=NOW)

    assert CartLine.objects.count() == 1


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ({"email": "not an address"}, "email"),
        ({"terms": ""}, "terms"),
        ({"country": "ZZ"}, "country"),
        ({"name": ""}, "name"),
        ({"street": "nul\0"}, "street"),
        ({"name": "You won, see http://evil.example"}, "name"),
        ({"name": "You won, see evil.com"}, "name"),
        ({"name": "Ada\u200b Lovelace"}, "name"),
        ({"name": "\u3164"}, "name"),
        ({"street": "\u2800 \u2800"}, "street"),
        ({"city": "\u115f\u1160"}, "city"),
        ({"city": "Ly\ufe0fon"}, "city"),
        ({"postal_code": "\u0301"}, "postal_code"),
        ({"city": "ada@example.com"}, "city"),
        ({"extra": "evil.example/prize"}, "extra"),
        ({"postal_code": "www.evil.example"}, "postal_code"),
        ({"language": "tlh"}, "language"),
        ({"token": "forged"}, "token"),
    ],
)
def test_a_wrong_answer_is_shown_and_the_others_are_kept(
    shopper: Shopper, answers: dict[str, str], complaint: str
) -> None:
    shopper.add(put_up())

    answer = shopper.check_out(**answers)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [complaint]
    kept = next(text for name, text in ANSWERS.items() if name != complaint and text)
    assert kept in answer.content.decode()
    assert Order.objects.count() == 0


def test_names_and_places_of_all_kinds_can_be_ordered_to(shopper: Shopper) -> None:
    shopper.add(put_up())

    answer = shopper.check_out(
        name="Zoë O’Hara-Núñez Jr.", street="12 bis, bd.de l’Hôtel-Dieu / bât. A", extra="c/o M. le Dr. Weiß", city="Aÿ"
    )

    assert answer.status_code == 302


def test_an_address_may_be_as_long_as_its_columns_and_no_longer(shopper: Shopper) -> None:
    longest = {"name": 150, "street": 200, "extra": 200, "postal_code": 20, "city": 100}
    shopper.add(put_up())

    refused = shopper.check_out(**{name: "x" * (length + 1) for name, length in longest.items()})
    taken = shopper.check_out(**{name: "x" * length for name, length in longest.items()})

    assert set(refused.context["form"].errors) == set(longest)
    assert taken.status_code == 302


def test_nobody_checks_out_an_empty_or_changed_cart(shopper: Shopper) -> None:
    assert shopper.browser.get(reverse("orders:checkout")).url == reverse("orders:cart")

    vase = put_up()
    shopper.add(vase)
    assert shopper.browser.get(reverse("orders:checkout")).status_code == 200

    change_price(vase, 2_000)
    assert shopper.browser.get(reverse("orders:checkout")).url == reverse("orders:cart")


def test_a_customer_need_not_type_it_all_again(shopper: Shopper) -> None:
    ada = get_user_model().objects.create_user(email="ada@example.com", name="Ada")
    shopper.browser.force_login(ada)
    shopper.add(put_up())
    shopper.check_out(street="1 rue Neuve")
    shopper.add(put_up())

    page = shopper.browser.get(reverse("orders:checkout")).content.decode()

    assert "1 rue Neuve" in page
    assert Order.objects.get().customer_id == ada.id


def test_a_session_remembers_its_newest_orders() -> None:
    session: dict[str, list[str]] = {}
    orders = [uuid4() for _order in range(access.REMEMBERED_MAX + 1)]

    for order_id in orders:
        access.remember(session, order_id)

    assert session[access.SESSION_KEY] == [str(order_id) for order_id in orders[1:]]
