"""An order that will not be gives its lines back to the cart they came from."""

import html
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.urls import reverse

from eventbus import clock
from mcommerce.events import Shortage, ShortageReason
from mcommerce.orders import mail as mails
from mcommerce.orders.carts import cart as carts
from mcommerce.orders.carts.cart import LINES_MAX, QUANTITY_MAX
from mcommerce.orders.models import Cart, CartLine, Offer, Order
from mcommerce.orders.services import lifecycle
from tests.mcommerce.orders.conftest import LATER, Shopper, change_price, fresh, let_time_run_out, put_up
from tests.mcommerce.orders.test_cart import be_left, sign_in


def order_of(shopper: Shopper, *wanted: tuple[Offer, int]) -> Order:
    for offer, quantity in wanted:
        shopper.add(offer, quantity=quantity)
    shopper.check_out()
    return Order.objects.first()


def refuse(order: Order, short: Offer, *, left: int) -> None:
    """Have the orders hear that too few were free."""
    wanted = order.lines.get(product_id=short.product_id).quantity
    shortage = Shortage(product_id=short.product_id, wanted=wanted, available=left, reason=ShortageReason.SOLD_OUT)
    lifecycle.reject_for_stock(order_id=order.id, shortages=(shortage,), now=LATER)


def expire(order: Order) -> None:
    let_time_run_out(order, now=order.expires_at + timedelta(seconds=1))


def in_cart(cart: Cart | None = None) -> dict[str, int]:
    lines = CartLine.objects.filter(cart=cart) if cart else CartLine.objects.all()
    names = {offer.product_id: offer.title["en"] for offer in Offer.objects.all()}
    return {names[line.product_id]: line.quantity for line in lines}


def test_a_refused_order_names_the_short_line_and_one_press_goes_on_with_the_rest(shopper: Shopper) -> None:
    vase, horse = put_up(title={"en": "Vase"}), put_up(title={"en": "Horse"})
    order = order_of(shopper, (vase, 3), (horse, 1))
    refuse(order, vase, left=1)

    page = shopper.look_at(order).content.decode()
    assert "Vase: only 1 left of the 3 you wanted." in page
    assert "Your things are back in the cart." in page
    assert in_cart() == {"Vase": 3, "Horse": 1}
    basket = shopper.look_at_cart()
    assert f"Order {order.number} is cancelled, and its things are back in your cart" in basket
    assert "Vase: only 1 left of the 3 you wanted." in basket
    mails.send("cancelled", order.id)
    assert "Vase: only 1 left of the 3 you wanted." in mail.outbox[0].body

    answer = shopper.browser.post(reverse("orders:rest", args=[order.id]), follow=True)

    assert in_cart() == {"Vase": 1, "Horse": 1}
    assert answer.redirect_chain[-1][0] == reverse("orders:checkout")
    assert "are back in your cart" not in shopper.look_at_cart(), "the shopper has seen to it"
    shopper.check_out()
    assert Order.objects.count() == 2


def what_is_said(shopper: Shopper, order: Order) -> list[str]:
    """On the order's page, in the cart and in the mail, as it is read."""
    mails.send("cancelled", order.id)
    return [html.unescape(shopper.look_at(order).content.decode()), shopper.look_at_cart(), mail.outbox[-1].body]


def test_a_full_cart_takes_back_what_fits(shopper: Shopper) -> None:
    order = order_of(shopper, (put_up(title={"en": "Vase"}), 1))
    for number in range(LINES_MAX):
        shopper.add(put_up(title={"en": str(number)}))

    expire(order)

    assert CartLine.objects.count() == LINES_MAX
    assert fresh(order).state == Order.State.CANCELLED
    for said in what_is_said(shopper, order):
        assert "back in" not in said, "nothing is"
        assert "no room for" in said
        assert "Vase: 1 of 1 did not fit into the cart." in said


def test_a_guest_who_signed_in_meanwhile_finds_them_in_the_accounts_cart(shopper: Shopper) -> None:
    vase, horse = put_up(title={"en": "Vase"}), put_up(title={"en": "Horse"})
    ada = get_user_model().objects.create_user(email="ada@example.com")
    order = order_of(shopper, (vase, 2))
    shopper.add(horse)
    sign_in(shopper, ada)

    expire(order)

    assert in_cart(Cart.objects.get(customer_id=ada.id)) == {"Horse": 1, "Vase": 2}
    assert CartLine.objects.count() == 2, "nothing in the guest's"
    at_work = Shopper()
    at_work.browser.force_login(ada)
    for browser, may_look in ((shopper, True), (at_work, False)):
        basket = browser.look_at_cart()
        assert f"Order {order.number} is cancelled" in basket
        assert (reverse("orders:order", args=[order.id]) in basket) == may_look


def test_a_price_that_changed_meanwhile_has_to_be_agreed_to(shopper: Shopper) -> None:
    vase = put_up(price=1_900)
    order = order_of(shopper, (vase, 1))
    change_price(vase, 2_500)

    expire(order)

    assert "The price was €19.00" in shopper.look_at_cart()


def test_a_forgotten_cart_does_not_hinder_the_end_of_its_order(shopper: Shopper) -> None:
    order = order_of(shopper, (put_up(), 1))
    clock.advance(days=carts.KEPT_FOR.days, seconds=1)
    carts.forget_old(now=clock.now())

    expire(order)

    assert fresh(order).state == Order.State.CANCELLED
    for said in what_is_said(shopper, order):
        assert "back in" not in said
        assert "no room" not in said


def test_two_refused_orders_are_both_told_and_each_has_its_rest(shopper: Shopper) -> None:
    vase, horse = put_up(title={"en": "Vase"}), put_up(title={"en": "Horse"})
    first, second = order_of(shopper, (vase, 3)), order_of(shopper, (horse, 5))
    refuse(first, vase, left=1)
    refuse(second, horse, left=2)

    basket = shopper.look_at_cart()
    assert "Vase: only 1 left of the 3 you wanted." in basket
    assert "Horse: only 2 left of the 5 you wanted." in basket
    for order in (first, second):
        assert f"Order {order.number} is cancelled" in basket
        assert reverse("orders:order", args=[order.id]) in basket
        page = shopper.look_at(order).content.decode()
        assert reverse("orders:rest", args=[order.id]) in page
        assert 'id="to-cart"' in page

    shopper.browser.post(reverse("orders:rest", args=[first.id]))

    assert in_cart() == {"Vase": 1, "Horse": 5}
    assert f"Order {second.number} is cancelled" in shopper.look_at_cart(), "it was not seen to yet"


def test_an_order_that_nobody_paid_in_time_gives_its_things_back_once(shopper: Shopper) -> None:
    order = order_of(shopper, (put_up(title={"en": "Vase"}), 2))
    lifecycle.await_payment(order_id=order.id, now=LATER)

    for _told_twice in range(2):
        expire(order)

    assert fresh(order).state == Order.State.CANCELLED
    assert in_cart() == {"Vase": 2}
    page = shopper.look_at(order).content.decode()
    assert "Your things are back in the cart." in page
    assert 'id="to-cart"' in page
    shopper.check_out()
    assert in_cart() == {}
    assert 'id="to-cart"' not in shopper.look_at(order).content.decode(), "they were ordered again"


@pytest.mark.parametrize("by", ["customer", "staff"])
def test_what_its_customer_cancels_comes_back_once_and_what_staff_cancels_does_not(shopper: Shopper, by: str) -> None:
    order = order_of(shopper, (put_up(title={"en": "Vase"}), 2))

    for _press in range(2):
        if by == "customer":
            shopper.cancel(order)
        else:
            lifecycle.cancel_by_staff(order_id=order.id, by=order.id, now=LATER)
    expire(order)

    assert in_cart() == ({"Vase": 2} if by == "customer" else {})
    assert ("back in the cart" in shopper.look_at(order).content.decode()) == (by == "customer")


def test_the_things_come_back_beside_what_was_put_in_meanwhile_and_what_does_not_fit_is_named(
    shopper: Shopper,
) -> None:
    vase, horse = put_up(title={"en": "Vase"}), put_up(title={"en": "Horse"})
    order = order_of(shopper, (vase, 15), (horse, 1))
    shopper.add(vase, quantity=10)

    expire(order)

    assert in_cart() == {"Vase": QUANTITY_MAX, "Horse": 1}
    assert f"Order {order.number} is cancelled" in shopper.look_at_cart()
    for said in what_is_said(shopper, order):
        assert "as far as they fit" in said
        assert "Vase: 5 of 15 did not fit into the cart." in said
        assert "Horse: 1 of" not in said


def test_who_is_signed_in_by_then_decides_whose_cart_they_come_back_to(shopper: Shopper) -> None:
    ada = get_user_model().objects.create_user(email="ada@example.com")
    order = order_of(shopper, (put_up(title={"en": "Vase"}), 2))
    sign_in(shopper, ada)
    del shopper.browser.cookies["sessionid"]  # as signing out does; the cart's cookie stays

    expire(order)

    assert "Nothing in here yet" in shopper.look_at_cart(), "the next person at the browser does not get them"
    at_home = Shopper()
    at_home.browser.force_login(ada)
    assert f"Order {order.number} is cancelled" in at_home.look_at_cart()
    assert in_cart() == {"Vase": 2}


@pytest.mark.parametrize(("left_by_now", "put_in"), [(3, 3), (2, 2)])
def test_the_rest_is_what_is_left_by_now_and_pressed_again_lowers_nothing(
    shopper: Shopper, left_by_now: int, put_in: int
) -> None:
    vase = put_up(title={"en": "Vase"})
    order = order_of(shopper, (vase, 5))
    refuse(order, vase, left=3)
    be_left(vase, left_by_now)

    shopper.browser.post(reverse("orders:rest", args=[order.id]))
    assert in_cart() == {"Vase": put_in}

    shopper.change(vase, 4)
    shopper.browser.post(reverse("orders:rest", args=[order.id]))
    assert in_cart() == {"Vase": 4}


def test_a_refused_order_of_which_nothing_is_left_offers_no_rest_and_a_stranger_has_none(shopper: Shopper) -> None:
    vase, stranger = put_up(title={"en": "Vase"}), Shopper()
    order = order_of(shopper, (vase, 3))
    refuse(order, vase, left=0)
    stranger.add(vase, quantity=5)

    page = shopper.look_at(order).content.decode()
    assert "Vase: none is left." in page
    assert reverse("orders:rest", args=[order.id]) not in page
    assert reverse("orders:cart") in page
    assert stranger.browser.post(reverse("orders:rest", args=[order.id])).status_code == 404
    assert sorted(CartLine.objects.values_list("quantity", flat=True)) == [3, 5]


def test_the_mail_names_the_short_line_in_french(shopper: Shopper) -> None:
    vase = put_up(title={"en": "Vase"})
    shopper.add(vase, quantity=3)
    shopper.check_out(language="fr")
    order = Order.objects.get()
    refuse(order, vase, left=1)

    mails.send("cancelled", order.id)

    assert "Vase\N{NO-BREAK SPACE}: il n’en reste que 1 sur les 3 voulus." in mail.outbox[0].body
