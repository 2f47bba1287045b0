"""Checking out: from what lies in the cart to one order at the shop's prices."""

from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from typing import Any
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
from mcommerce.orders.limits import CHECKOUTS_PER_CUSTOMER, CHECKOUTS_PER_NETWORK
from mcommerce.orders.models import Cart, CartLine, Order
from mcommerce.orders.services.checkout import CartChanged, EmptyCart, place_order
from mcommerce.orders.services.vat import tax_within
from tests.mcommerce.orders.conftest import ANSWERS, BUYER, NOW, Shopper, change_price, put_up
from tests.mcommerce.orders.test_cart import be_left, withdraw


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
    timer = Timer.objects.get(type="order.expired_check.v1")
    assert (timer.due, timer.key) == (order.expires_at, str(order.id))
    assert CartLine.objects.count() == 0
    [told] = published_events(OrderPlaced)
    assert [(line.product_id, line.quantity, line.unit_price) for line in told.lines] == [
        (vase.product_id, 3, 1_900),
        (clock.product_id, 1, 5_000),
    ]
    assert (told.total, told.expires_at) == (order.total, order.expires_at)
    assert shopper.browser.get(answer.url).status_code == 200


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

    seen = shopper.see_checkout()
    first, second = (shopper.check_out(token=token, seen=seen) for _time in range(2))

    assert first.url == second.url == reverse("orders:order", args=[Order.objects.get().id])
    assert Order.objects.count() == 1
    assert len(published_events(OrderPlaced)) == 1


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


def test_an_address_may_be_of_all_kinds_and_as_long_as_its_columns(shopper: Shopper) -> None:
    longest = {"name": 150, "street": 200, "extra": 200, "postal_code": 20, "city": 100}
    shopper.add(put_up())

    refused = shopper.check_out(**{name: "x" * (length + 1) for name, length in longest.items()})
    assert set(refused.context["form"].errors) == set(longest)
    assert shopper.check_out(**{name: "x" * length for name, length in longest.items()}).status_code == 302
    shopper.add(put_up())
    of_all_kinds = {"name": "Zoë O’Hara-Núñez Jr.", "street": "12 bis, bd.de l’Hôtel-Dieu / bât. A", "city": "Aÿ"}
    assert shopper.check_out(**of_all_kinds, extra="c/o M. le Dr. Weiß").status_code == 302


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


def asked_again(answer) -> str:  # type: ignore[no-untyped-def]
    """The page that asks again, with what was typed, and nothing ordered."""
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Your cart is not as this page showed it" in page
    assert ANSWERS["street"] in page
    assert Order.objects.count() == 0
    return page


def test_what_another_tab_put_in_is_shown_first_and_ordered_with_the_next_press(shopper: Shopper) -> None:
    shopper.add(put_up(title={"en": "Vase"}, price=1_900))
    seen = shopper.see_checkout()
    shopper.add(put_up(title={"en": "Horse"}, price=5_000))

    answer = shopper.check_out(seen=seen)

    page = asked_again(answer)
    assert "Horse is new in the cart." in page
    assert "€69.00" in page
    shopper.check_out(seen=answer.context["seen"])
    assert Order.objects.get().total == 6_900


def test_what_another_tab_took_out_counted_anew_or_agreed_to_is_named(shopper: Shopper) -> None:
    vase, horse, bowl = (put_up(title={"en": name}) for name in ("Vase", "Horse", "Bowl"))
    for offer in (vase, horse, bowl):
        shopper.add(offer)
    seen = shopper.see_checkout()
    shopper.change(vase, 0)
    shopper.change(horse, 3)
    change_price(bowl, 9_900)
    shopper.browser.post(reverse("orders:agree"))

    page = asked_again(shopper.check_out(seen=seen))

    assert "Vase is not in the cart any more." in page
    assert "Horse: 3 pieces instead of 1." in page
    assert "costs €99.00 instead of €19.00." in page
    wrong = shopper.check_out(seen=seen, email="zeus")
    assert wrong.status_code == 422, "a wrong answer and a changed cart are told together"
    assert "Horse: 3 pieces instead of 1." in wrong.content.decode()


def test_a_price_that_changed_since_it_was_agreed_to_is_not_charged(shopper: Shopper) -> None:
    assert shopper.browser.get(reverse("orders:checkout")).url == reverse("orders:cart"), "it is empty"
    with pytest.raises(EmptyCart):
        place_order(cart_id=None, buyer=BUYER, token=uuid4(), now=NOW)
    vase = put_up(price=1_900)
    shopper.add(vase)
    assert shopper.browser.get(reverse("orders:checkout")).status_code == 200
    change_price(vase, 9_900)

    assert shopper.browser.get(reverse("orders:checkout")).url == reverse("orders:cart")
    assert "Talking vase costs €99.00 instead of €19.00." in asked_again(shopper.check_out())
    with pytest.raises(CartChanged):
        place_order(cart_id=Cart.objects.get().id, buyer=BUYER, token=uuid4(), now=NOW)
    assert CartLine.objects.count() == 1


def test_what_sold_out_at_the_till_is_named_and_one_press_takes_the_rest(shopper: Shopper) -> None:
    vase, horse, bowl = (put_up(title={"en": name}) for name in ("Vase", "Horse", "Bowl"))
    for offer in (vase, horse, bowl):
        shopper.add(offer, quantity=2)
    seen = shopper.see_checkout()
    be_left(vase, 1)
    be_left(horse, 0)
    withdraw(bowl)

    answer = shopper.check_out(seen=seen)

    page = asked_again(answer)
    for said in ("Only 1 of Vase left right now.", "Horse is sold out right now.", "Bowl is no longer for sale."):
        assert said in page
    assert "Order and pay" not in page
    settled = shopper.check_out(seen=answer.context["seen"], settle="1")
    assert (settled.status_code, Order.objects.count()) == (200, 0)
    assert ANSWERS["street"] in settled.content.decode()
    shopper.check_out(seen=settled.context["seen"])
    assert list(Order.objects.get().lines.values_list("title__en", "quantity")) == [("Vase", 1)]


def test_the_same_content_put_in_again_is_no_change(shopper: Shopper) -> None:
    vase, horse = put_up(), put_up()
    shopper.add(vase)
    shopper.add(horse)
    seen = shopper.see_checkout()
    shopper.change(vase, 0)
    shopper.add(vase)

    shopper.check_out(seen=seen)

    assert Order.objects.count() == 1


@pytest.mark.parametrize("seen", ["", "nonsense", "\0", "x" * 100_000, f"{'0' * 32}x999999999@9EUR"])
def test_a_form_that_shows_no_cart_of_ours_is_asked_again(shopper: Shopper, seen: str) -> None:
    shopper.add(put_up())

    asked_again(shopper.check_out(seen=seen))

    assert CartLine.objects.count() == 1


def test_a_robot_that_orders_is_told_to_wait_keeps_its_cart_and_others_still_order(db: None, bus_clock: Any) -> None:
    vase, robots = put_up(), [Shopper() for _order in range(CHECKOUTS_PER_NETWORK.at_most + 1)]
    answers = [ordered(robot, vase) for robot in robots]

    assert [answer.status_code for answer in answers] == [302] * CHECKOUTS_PER_NETWORK.at_most + [429]
    assert 0 < int(answers[-1]["Retry-After"]) <= CHECKOUTS_PER_NETWORK.seconds
    assert "A little slower, please" in answers[-1].text
    assert ordered(Shopper(REMOTE_ADDR="198.51.100.1"), vase).status_code == 302
    assert "Talking vase" in robots[-1].look_at_cart()
    bus_clock.advance(seconds=int(answers[-1]["Retry-After"]))
    assert robots[-1].check_out().status_code == 302


def test_an_account_is_limited_wherever_it_signs_in(db: None) -> None:
    vase, ada = put_up(), get_user_model().objects.create_user(email="ada@example.com")
    for number in range(CHECKOUTS_PER_CUSTOMER.at_most + 1):
        shopper = Shopper(REMOTE_ADDR=f"198.51.100.{number}")
        shopper.browser.force_login(ada)
        last = ordered(shopper, vase)

    assert last.status_code == 429
    assert Order.objects.count() == CHECKOUTS_PER_CUSTOMER.at_most


def ordered(shopper: Shopper, vase: Any) -> Any:
    shopper.add(vase)
    Order.objects.update(state=Order.State.PAID)  # so that nothing waits to be paid
    return shopper.check_out()
