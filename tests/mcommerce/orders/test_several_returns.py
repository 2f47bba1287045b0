"""Several orders give their lines back to one cart."""

from django.contrib.auth import get_user_model
from django.urls import reverse

from tests.mcommerce.orders.conftest import Shopper, put_up
from tests.mcommerce.orders.test_cart import sign_in
from tests.mcommerce.orders.test_cart_return import expire, in_cart, order_of, refuse


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


def test_both_orders_of_a_guest_who_signs_in_are_told_in_the_accounts_cart(shopper: Shopper) -> None:
    orders = [order_of(shopper, (put_up(), 1)) for _order in range(2)]
    for order in orders:
        expire(order)
    sign_in(shopper, get_user_model().objects.create_user(email="ada@example.com"))

    basket = shopper.look_at_cart()

    assert all(f"Order {order.number} is cancelled" in basket for order in orders)
