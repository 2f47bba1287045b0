"""One visitor cannot hold a product out of stock; ten shoppers elsewhere still get theirs."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model

from mcommerce.events import ProductStockChanged
from mcommerce.orders.models import Cart, Offer, Order
from mcommerce.orders.services import lifecycle, offers
from mcommerce.orders.services.checkout import place_order
from mcommerce.orders.services.held_stock import LAPSED_MAX, HoldsTooMuch, Visitor
from tests.mcommerce.orders.conftest import BUYER, NOW, Shopper, let_time_run_out, pay, put_up
from tests.mcommerce.orders.test_races import at_the_same_time

ADDRESSES = (f"198.51.100.{number}" for number in range(1, 255))


def elsewhere() -> Shopper:
    """Somebody at an address of their own."""
    return Shopper(REMOTE_ADDR=next(ADDRESSES))


@pytest.fixture
def vase(db: None) -> Offer:
    return stocked(put_up(), 20)


def stocked(offer: Offer, available: int) -> Offer:
    """Have the orders hear how many are free."""
    told = ProductStockChanged(
        product_id=offer.product_id, available=available, version=Offer.objects.get(pk=offer.pk).stock_version + 1
    )
    offers.keep_stock(told)
    return Offer.objects.get(pk=offer.pk)


def order(shopper: Shopper, offer: Offer, quantity: int = 1) -> bool:
    """Whether it is ordered; as the products do, what is set aside is no longer free."""
    shopper.change(offer, 0)
    shopper.add(offer, quantity)
    taken = "/orders/" in getattr(shopper.check_out(), "url", "")
    if taken:
        lifecycle.await_payment(order_id=Order.objects.first().id, now=NOW)
        stocked(offer, Offer.objects.get(pk=offer.pk).available - quantity)
    return taken


def test_a_robot_holds_half_at_most_and_ten_shoppers_elsewhere_get_theirs(vase: Offer) -> None:
    address = next(ADDRESSES)
    for _try in range(10):
        for quantity in (20, 10, 3, 1):
            order(Shopper(REMOTE_ADDR=address), vase, quantity)  # a fresh session each time

    assert all(order(elsewhere(), vase) for _shopper in range(10))
    assert address not in str(list(Order.objects.values())), "the orders keep no address"
    assert all(Order.objects.values_list("placed_from", flat=True))


def test_a_session_that_moves_between_addresses_an_account_and_a_household_are_one_visitor(vase: Offer) -> None:
    moving = elsewhere()
    assert order(moving, vase, 10)
    moving.browser.defaults["REMOTE_ADDR"] = next(ADDRESSES)
    assert not order(moving, vase)

    ada, browsers = get_user_model().objects.create_user(email="ada@example.com"), [elsewhere(), elsewhere()]
    for browser in browsers:
        browser.browser.force_login(ada)
    assert [order(browser, stocked(vase, 20), 10) for browser in browsers] == [True, False]

    household = [Shopper(REMOTE_ADDR=address) for address in ("2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1")]
    assert [order(one, stocked(vase, 20), 10) for one in household] == [True, False, True], "the third is another one"


def test_a_pair_is_sold_though_it_be_the_last(vase: Offer) -> None:
    assert order(elsewhere(), stocked(vase, 2), 2)


def test_who_has_paid_may_order_the_rest_and_what_is_cancelled_counts_no_more(vase: Offer) -> None:
    shopper = elsewhere()
    assert order(shopper, vase, 10) and not order(shopper, vase)

    pay(Order.objects.get())
    assert order(shopper, vase, 5)

    shopper.cancel(Order.objects.first())
    assert order(shopper, stocked(vase, 20), 10)


def test_who_lets_the_last_one_go_again_and_again_leaves_it_to_others_for_a_day(vase: Offer, bus_clock: Any) -> None:
    shopper = elsewhere()
    for _time in range(LAPSED_MAX):
        assert order(shopper, stocked(vase, 1))
        let_time_run_out(Order.objects.first(), now=NOW)

    assert not order(shopper, stocked(vase, 1))
    assert "without paying" in shopper.check_out().content.decode()
    assert order(elsewhere(), stocked(vase, 1))

    bus_clock.advance(days=1, seconds=1)
    assert order(shopper, stocked(vase, 1))


def test_an_order_that_we_refused_is_not_held_against_anybody(vase: Offer) -> None:
    shopper = elsewhere()
    for _time in range(LAPSED_MAX):
        order(shopper, stocked(vase, 1))
        newest = Order.objects.first()
        Order.objects.filter(id=newest.id).update(state=Order.State.PLACED)
        lifecycle.reject_for_stock(order_id=newest.id, now=NOW)

    assert order(shopper, stocked(vase, 1))


def test_who_wants_too_many_keeps_the_cart_and_is_told_how_many_it_can_be(vase: Offer) -> None:
    shopper = elsewhere()
    shopper.add(vase, 12)

    answer = shopper.check_out(street="1 quai de Bondy")

    assert answer.status_code == 409
    page = answer.content.decode()
    assert "we set aside at most 10 for you" in page
    assert "1 quai de Bondy" in page, "what was typed stays"
    assert "Your cart is not as this page showed it" not in page
    assert 'value="12"' in shopper.look_at_cart()
    assert not Order.objects.exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_orders_at_the_same_moment_count_each_other() -> None:
    vase = stocked(put_up(), 20)

    def place() -> bool:
        cart = Cart.objects.create(changed_at=NOW)
        cart.lines.create(
            product_id=vase.product_id, quantity=10, agreed_price=vase.price, agreed_currency=vase.currency
        )
        try:
            place_order(cart_id=cart.id, buyer=BUYER, token=uuid4(), now=NOW, visitor=Visitor(placed_from="one"))
        except HoldsTooMuch:
            return False
        return True

    assert sum(at_the_same_time(*[place] * 6)) == 1
