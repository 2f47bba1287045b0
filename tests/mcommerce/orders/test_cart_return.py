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

    answer = shopper.browser.post(reverse("orders:rest", args=[order.id]), follow=True)

    assert in_cart() == {"Vase": 1, "Horse": 1}
    assert answer.redirect_chain[-1][0] == reverse("orders:checkout")
    assert "are back in your cart" not in shopper.look_at_cart(), "the shopper has seen to it"
    shopper.check_out()
    assert Order.objects.count() == 2


def test_a_refused_order_of_which_nothing_is_left_offers_no_rest(shopper: Shopper) -> None:
    vase = put_up(title={"en": "Vase"})
    order = order_of(shopper, (vase, 1))

    refuse(order, vase, left=0)

    page = shopper.look_at(order).content.decode()
    assert "Vase: none is left." in page
    assert reverse("orders:rest", args=[order.id]) not in page
    assert reverse("orders:cart") in page


def test_an_order_that_nobody_paid_in_time_gives_its_things_back(shopper: Shopper) -> None:
    order = order_of(shopper, (put_up(title={"en": "Vase"}), 2))
    lifecycle.await_payment(order_id=order.id, now=LATER)

    for _told_twice in range(2):
        expire(order)

    assert fresh(order).state == Order.State.CANCELLED
    assert in_cart() == {"Vase": 2}
    assert "Your things are back in the cart." in shopper.look_at(order).content.decode()


def test_what_came_back_is_not_looked_for_in_the_cart_once_it_was_ordered_again(shopper: Shopper) -> None:
    order = order_of(shopper, (put_up(title={"en": "Vase"}), 2))
    expire(order)
    to_the_cart = 'id="to-cart"'
    assert to_the_cart in shopper.look_at(order).content.decode()

    shopper.check_out()

    assert in_cart() == {}
    assert to_the_cart not in shopper.look_at(order).content.decode()


def test_an_unpaid_order_that_its_customer_cancels_gives_its_things_back_once(shopper: Shopper) -> None:
    order = order_of(shopper, (put_up(title={"en": "Vase"}), 2))

    for _press in range(2):
        shopper.cancel(order)
    expire(order)

    assert in_cart() == {"Vase": 2}


def test_what_staff_cancels_is_not_offered_again(shopper: Shopper) -> None:
    order = order_of(shopper, (put_up(), 2))

    lifecycle.cancel_by_staff(order_id=order.id, by=order.id, now=LATER)

    assert in_cart() == {}
    assert "back in the cart" not in shopper.look_at(order).content.decode()


def test_the_things_come_back_beside_what_was_put_in_meanwhile(shopper: Shopper) -> None:
    vase, horse = put_up(title={"en": "Vase"}), put_up(title={"en": "Horse"})
    order = order_of(shopper, (vase, 15))
    shopper.add(vase, quantity=10)
    shopper.add(horse)

    expire(order)

    assert in_cart() == {"Vase": QUANTITY_MAX, "Horse": 1}
    assert f"Order {order.number} is cancelled" in shopper.look_at_cart()


def what_is_said(shopper: Shopper, order: Order) -> list[str]:
    """On the order's page, in the cart and in the mail, as it is read."""
    mails.send("cancelled", order.id)
    return [html.unescape(shopper.look_at(order).content.decode()), shopper.look_at_cart(), mail.outbox[-1].body]


def test_pieces_that_the_cart_has_no_room_for_are_named(shopper: Shopper) -> None:
    vase, horse = put_up(title={"en": "Vase"}), put_up(title={"en": "Horse"})
    order = order_of(shopper, (vase, 15), (horse, 1))
    shopper.add(vase, quantity=10)

    expire(order)

    for said in what_is_said(shopper, order):
        assert "as far as they fit" in said
        assert "Vase: 5 of 15 did not fit into the cart." in said
        assert "Horse: 1 of" not in said


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


def test_the_next_person_at_the_browser_does_not_get_them(shopper: Shopper) -> None:
    ada = get_user_model().objects.create_user(email="ada@example.com")
    order = order_of(shopper, (put_up(), 2))
    sign_in(shopper, ada)
    del shopper.browser.cookies["sessionid"]  # as signing out does; the cart's cookie stays

    expire(order)

    assert "Nothing in here yet" in shopper.look_at_cart()


def test_a_customers_things_come_back_to_the_account_wherever_they_look(shopper: Shopper) -> None:
    ada = get_user_model().objects.create_user(email="ada@example.com")
    at_home = Shopper()
    for browser in (shopper, at_home):
        browser.browser.force_login(ada)
    order = order_of(shopper, (put_up(title={"en": "Vase"}), 2))

    expire(order)

    assert f"Order {order.number} is cancelled" in at_home.look_at_cart()
    assert in_cart() == {"Vase": 2}


def test_a_price_that_changed_meanwhile_has_to_be_agreed_to(shopper: Shopper) -> None:
    vase = put_up(price=1_900)
    order = order_of(shopper, (vase, 1))
    change_price(vase, 2_500)

    expire(order)

    assert "The price was €19.00" in shopper.look_at_cart()


def test_somebody_elses_cart_is_not_touched_by_the_press(shopper: Shopper) -> None:
    vase = put_up(title={"en": "Vase"})
    order = order_of(shopper, (vase, 3))
    refuse(order, vase, left=1)
    stranger = Shopper()
    stranger.add(vase, quantity=5)

    answer = stranger.browser.post(reverse("orders:rest", args=[order.id]))

    assert answer.status_code == 404
    assert sorted(CartLine.objects.values_list("quantity", flat=True)) == [3, 5]


def test_pressed_again_later_the_rest_lowers_nothing(shopper: Shopper) -> None:
    vase = put_up(title={"en": "Vase"})
    order = order_of(shopper, (vase, 3))
    refuse(order, vase, left=1)
    shopper.browser.post(reverse("orders:rest", args=[order.id]))
    shopper.change(vase, 4)

    shopper.browser.post(reverse("orders:rest", args=[order.id]))

    assert in_cart() == {"Vase": 4}


def test_the_rest_is_no_more_than_what_is_left_by_now(shopper: Shopper) -> None:
    vase = put_up(title={"en": "Vase"})
    order = order_of(shopper, (vase, 5))
    refuse(order, vase, left=3)
    be_left(vase, 2)

    shopper.browser.post(reverse("orders:rest", args=[order.id]))

    assert in_cart() == {"Vase": 2}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_mail_names_the_short_line_and_says_where_the_things_are(shopper: Shopper, language: str) -> None:
    vase = put_up(title={"en": "Vase"})
    shopper.add(vase, quantity=3)
    shopper.check_out(language=language)
    order = Order.objects.get()
    refuse(order, vase, left=1)

    mails.send("cancelled", order.id)

    wanted = {
        "en": "Vase: only 1 left of the 3 you wanted.",
        "fr": "Vase\N{NO-BREAK SPACE}: il n’en reste que 1 sur les 3 voulus.",
    }
    assert wanted[language] in mail.outbox[0].body


def test_a_forgotten_cart_does_not_hinder_the_end_of_its_order(shopper: Shopper) -> None:
    order = order_of(shopper, (put_up(), 1))
    clock.advance(days=carts.KEPT_FOR.days, seconds=1)
    carts.forget_old(now=clock.now())

    expire(order)

    assert fresh(order).state == Order.State.CANCELLED
    for said in what_is_said(shopper, order):
        assert "back in" not in said
        assert "no room" not in said
