"""Who orders again and again waits a little; others do not."""

from typing import Any

from django.contrib.auth import get_user_model

from mcommerce.orders.limits import CHECKOUTS_PER_CUSTOMER, CHECKOUTS_PER_NETWORK
from mcommerce.orders.models import Order
from tests.mcommerce.orders.conftest import Shopper, put_up


def test_a_robot_that_orders_is_told_to_wait_and_others_still_order(db: None) -> None:
    vase = put_up()
    answers = [ordered(Shopper(), vase) for _order in range(CHECKOUTS_PER_NETWORK.at_most + 1)]

    assert [answer.status_code for answer in answers] == [302] * CHECKOUTS_PER_NETWORK.at_most + [429]
    assert 0 < int(answers[-1]["Retry-After"]) <= CHECKOUTS_PER_NETWORK.seconds
    assert "A little slower, please" in answers[-1].text
    assert ordered(Shopper(REMOTE_ADDR="198.51.100.1"), vase).status_code == 302


def test_an_account_is_limited_wherever_it_signs_in(db: None) -> None:
    vase, ada = put_up(), get_user_model().objects.create_user(email="ada@example.com")
    for number in range(CHECKOUTS_PER_CUSTOMER.at_most + 1):
        shopper = Shopper(REMOTE_ADDR=f"198.51.100.{number}")
        shopper.browser.force_login(ada)
        last = ordered(shopper, vase)

    assert last.status_code == 429
    assert Order.objects.count() == CHECKOUTS_PER_CUSTOMER.at_most


def test_who_was_told_to_wait_finds_the_cart_as_it_was(db: None, bus_clock: Any) -> None:
    vase, shopper = put_up(), Shopper()
    for _order in range(CHECKOUTS_PER_NETWORK.at_most + 1):
        last = ordered(shopper, vase)

    assert "Talking vase" in shopper.look_at_cart()
    bus_clock.advance(seconds=int(last["Retry-After"]))
    assert shopper.check_out().status_code == 302


def ordered(shopper: Shopper, vase: Any) -> Any:
    shopper.add(vase)
    Order.objects.update(state=Order.State.PAID)  # so that nothing waits to be paid
    return shopper.check_out()
