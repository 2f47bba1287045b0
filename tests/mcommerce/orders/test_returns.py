"""After dispatch: the money of a sent order goes back once, the order keeps its state, and its pieces come back."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation

from eventbus.ids import uuid7
from eventbus.testing import published_events
from mcommerce.events import OrderRefundRequested, OrderReturned, RefundReason
from mcommerce.orders import mail
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle, refunds, returns
from mcommerce.orders.views.order_page import page_of
from tests.mcommerce.orders.conftest import LATER, STAFF, about, fresh, pay
from tests.mcommerce.orders.test_races import at_the_same_time

State = Order.State


def send(order: Order) -> Order:
    lifecycle.ship(order_id=order.id, carrier="La Poste", tracking="6A1", by=STAFF, now=LATER)
    return fresh(order)


@pytest.fixture
def sent(paid: Order) -> Order:
    """A paid order that has left the house."""
    return send(paid)


def refund(order: Order, *, pieces_are_back: bool = False) -> bool:
    return returns.refund_sent(order_id=order.id, pieces_are_back=pieces_are_back, by=STAFF, now=LATER)


@pytest.mark.parametrize("delivered", [False, True])
def test_all_that_was_paid_for_a_sent_order_goes_back_and_it_stays_sent(sent: Order, delivered: bool) -> None:
    if delivered:
        lifecycle.deliver(order_id=sent.id, by=STAFF, now=LATER)

    assert [refund(sent), refund(sent)] == [True, False], "a second click asks for nothing"

    assert fresh(sent).state == (State.DELIVERED if delivered else State.SHIPPED)
    [request] = published_events(OrderRefundRequested)
    assert (request.payment_id, request.amount, request.currency, request.reason) == (
        sent.payment_id,
        1_900,
        "EUR",
        RefundReason.RETURNED,
    )
    assert published_events(OrderReturned) == []


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_the_same_moment_send_the_money_once(paid: Order) -> None:
    sent = send(paid)

    outcomes = at_the_same_time(*(lambda: refund(sent, pieces_are_back=True) for _click in range(2)))

    assert sorted(outcomes) == [False, True]
    assert len(published_events(OrderRefundRequested)) == len(published_events(OrderReturned)) == 1


def test_what_is_not_sent_yet_is_cancelled_and_not_refunded(waiting: Order) -> None:
    assert refund(waiting) is False
    pay(waiting)

    assert refund(waiting) is False
    assert published_events(OrderRefundRequested) == []


def test_money_that_came_twice_and_went_back_does_not_stand_in_the_way(sent: Order) -> None:
    pay(sent, payment_id=uuid7())

    assert refund(sent) is True
    assert [one.reason for one in published_events(OrderRefundRequested)] == ["paid_twice", "returned"]


def test_the_pieces_come_back_with_the_money_or_later_and_once(sent: Order) -> None:
    assert returns.put_back(order_id=sent.id, by=STAFF, now=LATER) is False

    refund(sent)
    outcomes = [returns.put_back(order_id=sent.id, by=STAFF, now=LATER) for _click in range(2)]

    assert outcomes == [True, False]
    assert published_events(OrderReturned) == [OrderReturned(**about(sent))]
    assert {step.kind: step.by for step in sent.steps.filter(by=STAFF)}.keys() == {
        *("shipped", "refund_requested", "returned")
    }


@pytest.fixture
def in_english() -> Iterator[None]:
    """Whatever a page of another test was read in."""
    with translation.override("en"):
        yield


@pytest.mark.usefixtures("in_english")
def test_the_orders_page_says_that_it_came_and_where_the_money_is(sent: Order) -> None:
    refund(sent, pieces_are_back=True)
    on_its_way = page_of(fresh(sent), now=LATER)
    refunds.settle(refund_id=Refund.objects.get().id, now=LATER)
    back = page_of(fresh(sent), now=LATER)

    assert on_its_way.sentence == "Your order is on its way to you."
    assert on_its_way.changing
    assert on_its_way.refunds == ["Your money is on its way back to you: €19.00."]
    assert back.refunds == ["Your money was sent back to you: €19.00."]
    assert [str(moment.text) for moment in back.timeline][-3:] == [
        "Your money is on its way back",
        "Your things came back to us",
        "Your money was sent back",
    ]


@pytest.mark.parametrize(("language", "sum"), [("en", "€19.00"), ("fr", "19,00\N{NO-BREAK SPACE}€")])
@pytest.mark.parametrize("name", ["refunded", "cancelled"])
def test_the_mail_about_the_money_names_the_sum(
    paid: Order, mailoutbox: list[Any], name: str, language: str, sum: str
) -> None:
    Order.objects.filter(id=paid.id).update(language=language)
    lifecycle.cancel_by_staff(order_id=paid.id, by=STAFF, now=LATER)

    with translation.override("de"):
        mail.send(name, paid.id, amount=1_900, currency="EUR")

    assert sum in mailoutbox[0].body
