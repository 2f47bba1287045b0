"""Two who want the same order at the same moment, each on a connection of their own."""

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from eventbus.ids import uuid7
from eventbus.testing import published_events
from mcommerce.events import OrderCancelled, OrderPaid, OrderPlaced, OrderRefundRequested
from mcommerce.orders.carts import cart as carts
from mcommerce.orders.models import Cart, CartLine, Order, Refund
from mcommerce.orders.services import lifecycle, refunds
from mcommerce.orders.services.checkout import place_order
from tests.mcommerce.orders.conftest import BUYER, LATER, NOW, fresh, let_time_run_out, pay, put_up

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]

DEADLINE_SECONDS = 60  # for what takes milliseconds on an idle machine


def at_the_same_time(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returned; all of them are let go at once."""
    gate, answers = threading.Barrier(len(calls)), []

    def run(call: Callable[[], Any]) -> None:
        try:
            gate.wait(DEADLINE_SECONDS)
            answers.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    assert len(answers) == len(calls), "one of them raised"
    return answers


@pytest.fixture(params=range(5))
def again(request: pytest.FixtureRequest) -> Iterator[int]:
    """A race is run more than once, for it has more than one winner."""
    yield request.param


@pytest.mark.usefixtures("again")
def test_when_a_cancellation_meets_a_payment_one_wins_and_no_money_is_kept_for_nothing(waiting: Order) -> None:
    at_the_same_time(
        lambda: pay(waiting, payment_id=uuid7()),
        lambda: lifecycle.cancel_by_customer(order_id=waiting.id, now=LATER),
        lambda: lifecycle.expire(order_id=waiting.id, now=LATER),
    )

    paid = fresh(waiting).state == Order.State.PAID
    assert len(published_events(OrderPaid)) == (1 if paid else 0)
    assert len(published_events(OrderCancelled)) == (0 if paid else 1)
    assert len(published_events(OrderRefundRequested)) == (0 if paid else 1)


@pytest.mark.usefixtures("again")
def test_when_two_of_the_staff_try_a_failed_refund_again_one_does(waiting: Order) -> None:
    pay(waiting)
    lifecycle.cancel_by_staff(order_id=waiting.id, by=uuid4(), now=LATER)
    refund = Refund.objects.get()
    refunds.fail(refund_id=refund.id, code="closed", now=LATER)

    done = at_the_same_time(*[lambda: refunds.ask_again(refund_id=refund.id, by=uuid4(), now=LATER)] * 2)

    assert sorted(done) == [False, True]
    assert [told.number for told in published_events(OrderRefundRequested)] == [1, 2]


@pytest.mark.usefixtures("again")
def test_when_an_order_ends_while_its_guest_signs_in_its_things_are_in_the_accounts_cart(waiting: Order) -> None:
    customer_id, guest = uuid4(), Cart.objects.get(id=waiting.cart_id)

    at_the_same_time(
        lambda: let_time_run_out(waiting),
        lambda: lifecycle.cancel_by_customer(order_id=waiting.id, now=LATER),
        lambda: carts.merge(guest_cart_id=guest.id, customer_id=customer_id, now=LATER),
        lambda: carts.merge(guest_cart_id=guest.id, customer_id=customer_id, now=LATER),
    )

    lines = CartLine.objects.values_list("cart__customer_id", "quantity")
    assert list(lines) == [(customer_id, 1)]
    assert list(Cart.objects.get(customer_id=customer_id).came_back.all()) == [waiting]


@pytest.mark.usefixtures("again")
def test_when_two_payments_meet_one_pays_and_the_other_goes_back(waiting: Order) -> None:
    payments = at_the_same_time(*(lambda: pay(waiting, payment_id=uuid7()) for _payment in range(2)))

    [refund] = published_events(OrderRefundRequested)
    assert {fresh(waiting).payment_id, refund.payment_id} == set(payments)
    assert len(published_events(OrderPaid)) == 1


@pytest.mark.usefixtures("again")
@pytest.mark.parametrize("late", [False, True])
def test_when_one_payment_is_heard_by_two_it_counts_once_or_goes_back_once(waiting: Order, late: bool) -> None:
    if late:
        let_time_run_out(waiting)
    payment_id = uuid7()

    at_the_same_time(*(lambda: pay(waiting, payment_id=payment_id) for _worker in range(3)))

    assert (fresh(waiting).payment_id == payment_id) == (not late)
    assert len(published_events(OrderPaid)) == (0 if late else 1)
    assert len(published_events(OrderRefundRequested)) == (1 if late else 0)


@pytest.mark.parametrize("carts", [1, 4])
def test_the_same_form_sent_at_the_same_time_is_one_order(carts: int) -> None:
    """Mostly from one cart; around a sign-in the two may even come from different ones."""
    vase, token = put_up(), uuid4()
    cart_ids = []
    for _cart in range(carts):
        cart = Cart.objects.create(changed_at=NOW)
        cart.lines.create(product_id=vase.product_id, quantity=1, agreed_price=1_900, agreed_currency="EUR")
        cart_ids.append(cart.id)

    orders = at_the_same_time(
        *(
            lambda cart_id=cart_ids[submit % carts]: place_order(cart_id=cart_id, buyer=BUYER, token=token, now=NOW).id
            for submit in range(4)
        )
    )

    assert len(set(orders)) == 1
    assert len(published_events(OrderPlaced)) == 1


@pytest.mark.usefixtures("again")
def test_a_form_that_comes_again_while_the_first_is_being_carried_out_adds_its_pieces_once() -> None:
    cart, vase, sent = Cart.objects.create(changed_at=NOW), put_up(), uuid4()

    def add() -> None:
        carts.add(cart=cart, product_id=vase.product_id, quantity=2, now=NOW, request_id=sent)

    at_the_same_time(add, add)

    assert [line.quantity for line in cart.lines.all()] == [2]
