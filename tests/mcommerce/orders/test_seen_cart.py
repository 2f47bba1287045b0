"""A cart that changed in another tab is shown before it is ordered, and nothing typed is lost."""

import pytest
from django.urls import reverse

from mcommerce.orders.models import CartLine, Order
from tests.mcommerce.orders.conftest import ANSWERS, Shopper, change_price, put_up
from tests.mcommerce.orders.test_cart import be_left, withdraw


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


def test_what_another_tab_took_out_or_counted_anew_is_named(shopper: Shopper) -> None:
    vase, horse = put_up(title={"en": "Vase"}), put_up(title={"en": "Horse"})
    shopper.add(vase)
    shopper.add(horse)
    seen = shopper.see_checkout()
    shopper.change(vase, 0)
    shopper.change(horse, 3)

    page = asked_again(shopper.check_out(seen=seen))

    assert "Vase is not in the cart any more." in page
    assert "Horse: 3 pieces instead of 1." in page


def test_a_price_agreed_to_in_another_tab_is_shown_before_it_is_ordered(shopper: Shopper) -> None:
    vase = put_up(price=1_900)
    shopper.add(vase)
    seen = shopper.see_checkout()
    change_price(vase, 9_900)
    shopper.browser.post(reverse("orders:agree"))

    page = asked_again(shopper.check_out(seen=seen))

    assert "Talking vase costs €99.00 instead of €19.00." in page


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


def test_a_wrong_answer_and_a_changed_cart_are_told_together(shopper: Shopper) -> None:
    vase = put_up(title={"en": "Vase"})
    shopper.add(vase)
    seen = shopper.see_checkout()
    shopper.change(vase, 2)

    answer = shopper.check_out(seen=seen, email="zeus")

    assert answer.status_code == 422
    assert "Vase: 2 pieces instead of 1." in answer.content.decode()


def test_the_form_sent_twice_leads_to_its_order_though_the_cart_is_empty_by_then(shopper: Shopper) -> None:
    shopper.add(put_up())
    seen = shopper.see_checkout()
    shopper.check_out(seen=seen, token="11111111-1111-4111-8111-111111111111")

    again = shopper.check_out(seen=seen, token="11111111-1111-4111-8111-111111111111")

    assert again.url == reverse("orders:order", args=[Order.objects.get().id])
