"""The walk of an order: every transition, and what happens when two of them want the same order."""

import logging
from collections.abc import Callable
from uuid import uuid4

import pytest

from eventbus import Permanent, RetryLater
from eventbus.ids import uuid7
from eventbus.testing import published_events
from mcommerce.events import (
    CancelReason,
    OrderAwaitingPayment,
    OrderCancelled,
    OrderConfirmationAsked,
    OrderDelivered,
    OrderOverdue,
    OrderPaid,
    OrderPaymentDeclined,
    OrderRefunded,
    OrderRefundFailed,
    OrderRefundRequested,
    OrderShipped,
    RefundReason,
)
from mcommerce.orders.models import Order, OrderStep, Refund
from mcommerce.orders.services import lifecycle, refunds
from tests.mcommerce.orders.conftest import LATER, NOW, STAFF, about, fresh, let_time_run_out, pay

State = Order.State


# --- stock ---------------------------------------------------------------------------------------------------------


def test_an_order_may_be_paid_once_its_things_are_set_aside(placed: Callable[..., Order]) -> None:
    order = placed()

    lifecycle.await_payment(order_id=order.id, now=LATER)

    assert fresh(order).state == State.AWAITING_PAYMENT
    assert published_events(OrderAwaitingPayment) == [
        OrderAwaitingPayment(
            **about(order),
            amount=1_900,
            currency="EUR",
            expires_at=order.expires_at,
            email="ada@example.com",
        )
    ]


def test_an_order_of_something_sold_out_ends_before_it_is_paid(placed: Callable[..., Order]) -> None:
    order = placed()

    lifecycle.reject_for_stock(order_id=order.id, now=LATER)

    assert (fresh(order).state, fresh(order).cancel_reason) == (State.CANCELLED, CancelReason.STOCK_REJECTED)
    assert published_events(OrderCancelled) == [OrderCancelled(**about(order), reason=CancelReason.STOCK_REJECTED)]
    assert published_events(OrderRefundRequested) == []

    lifecycle.await_payment(order_id=order.id, now=LATER)  # things set aside late do not bring it back
    assert fresh(order).state == State.CANCELLED
    assert published_events(OrderAwaitingPayment) == []


def test_a_paid_order_whose_things_are_gone_is_cancelled_and_refunded(paid: Order) -> None:
    lifecycle.lose_stock(order_id=paid.id, now=LATER)

    assert (fresh(paid).state, fresh(paid).cancel_reason) == (State.CANCELLED, CancelReason.STOCK_LOST)
    [request] = published_events(OrderRefundRequested)
    assert (request.payment_id, request.amount, request.reason) == (
        paid.payment_id,
        paid.total,
        RefundReason.STOCK_LOST,
    )


def test_lost_stock_waits_for_the_payment_and_of_an_order_already_sent_calls_a_person(waiting: Order) -> None:
    with pytest.raises(RetryLater):
        lifecycle.lose_stock(order_id=waiting.id, now=LATER)
    pay(waiting)
    lifecycle.ship(order_id=waiting.id, carrier="", tracking="", by=STAFF, now=NOW)

    lifecycle.lose_stock(order_id=waiting.id, now=LATER)

    assert (fresh(waiting).state, fresh(waiting).needs_attention) == (State.SHIPPED, True)


# --- payment -------------------------------------------------------------------------------------------------------


def test_the_right_sum_pays_an_order_and_heard_again_changes_nothing(waiting: Order) -> None:
    payment_id = pay(waiting)
    paid = fresh(waiting)
    pay(paid)

    assert (paid.state, paid.payment_id, paid.version) == (State.PAID, payment_id, fresh(paid).version)
    assert published_events(OrderRefundRequested) == []
    [told] = published_events(OrderPaid)
    assert (told.order_id, told.amount, told.currency) == (waiting.id, 1_900, "EUR")
    assert [(line.quantity, line.unit_price) for line in told.lines] == [(1, 1_900)]


@pytest.mark.parametrize(("amount", "currency"), [(1_899, "EUR"), (1_901, "EUR"), (1_900, "USD"), (0, "EUR")])
def test_another_sum_never_pays_an_order(
    waiting: Order, amount: int, currency: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        payment_id = pay(waiting, amount=amount, currency=currency)

    assert (fresh(waiting).state, fresh(waiting).needs_attention) == (State.AWAITING_PAYMENT, True)
    [request] = published_events(OrderRefundRequested)
    assert (request.payment_id, request.amount, request.currency, request.reason) == (
        payment_id,
        amount,
        currency,
        RefundReason.AMOUNT_MISMATCH,
    )
    assert str(payment_id) in caplog.text


def test_paying_a_cancelled_order_is_refunded_exactly_once(waiting: Order) -> None:
    let_time_run_out(waiting)

    payment_id = pay(waiting)
    pay(waiting, payment_id=payment_id)

    assert fresh(waiting).state == State.CANCELLED
    [request] = published_events(OrderRefundRequested)
    assert (request.payment_id, request.reason) == (payment_id, RefundReason.PAID_AFTER_CANCELLATION)
    assert published_events(OrderPaid) == []


def test_paying_twice_is_refunded(paid: Order) -> None:
    second = pay(paid, payment_id=uuid7())

    [request] = published_events(OrderRefundRequested)
    assert (request.payment_id, request.reason) == (second, RefundReason.PAID_TWICE)
    assert (fresh(paid).state, fresh(paid).needs_attention) == (State.PAID, True)


def test_a_decline_is_noted_and_another_try_can_succeed(waiting: Order) -> None:
    payment_id = uuid7()

    lifecycle.note_decline(order_id=waiting.id, payment_id=payment_id, code="card_declined", retryable=True, now=LATER)

    assert fresh(waiting).state == State.AWAITING_PAYMENT
    assert published_events(OrderPaymentDeclined) == [
        OrderPaymentDeclined(order_id=waiting.id, payment_id=payment_id, code="card_declined", retryable=True)
    ]
    pay(waiting, payment_id=payment_id)
    paid = fresh(waiting)
    assert paid.state == State.PAID

    lifecycle.note_decline(order_id=paid.id, payment_id=uuid7(), code="card_declined", retryable=True, now=LATER)
    assert fresh(paid).version == paid.version, "heard after the payment, it is old news"
    assert len(published_events(OrderPaymentDeclined)) == 1


def test_the_bank_asking_its_customer_leaves_the_order_waiting(waiting: Order) -> None:
    lifecycle.ask_confirmation(order_id=waiting.id, payment_id=uuid7(), now=LATER)

    assert fresh(waiting).state == State.AWAITING_PAYMENT
    assert len(published_events(OrderConfirmationAsked)) == 1


# --- endings -------------------------------------------------------------------------------------------------------


def test_at_the_deadline_an_order_waits_for_its_payment_to_be_closed_and_ends(
    waiting: Order, placed: Callable[..., Order]
) -> None:
    lifecycle.expire(order_id=waiting.id, now=LATER)
    assert fresh(waiting).state == State.CLOSING
    assert published_events(OrderOverdue) == [OrderOverdue(order_id=waiting.id)]
    assert published_events(OrderCancelled) == []

    lifecycle.end_overdue(order_id=waiting.id, now=LATER)

    assert (fresh(waiting).state, fresh(waiting).cancel_reason) == (State.CANCELLED, CancelReason.PAYMENT_TIMEOUT)

    not_payable_yet = placed()
    lifecycle.expire(order_id=not_payable_yet.id, now=LATER)
    assert fresh(not_payable_yet).state == State.CANCELLED


def test_money_that_came_before_the_payment_was_closed_pays_the_order(waiting: Order) -> None:
    lifecycle.expire(order_id=waiting.id, now=LATER)

    pay(waiting)
    lifecycle.end_overdue(order_id=waiting.id, now=LATER)

    assert fresh(waiting).state == State.PAID
    assert published_events(OrderCancelled) == published_events(OrderRefundRequested) == []


def test_an_order_whose_payment_is_not_closed_for_long_calls_a_person(
    waiting: Order, caplog: pytest.LogCaptureFixture
) -> None:
    lifecycle.expire(order_id=waiting.id, now=LATER)

    lifecycle.call_about_overdue(order_id=waiting.id)

    assert (fresh(waiting).state, fresh(waiting).needs_attention) == (State.CLOSING, True)
    assert str(waiting.id) in caplog.text


@pytest.mark.parametrize("by", [CancelReason.CUSTOMER, CancelReason.STAFF])
def test_an_unpaid_order_is_cancelled_once_and_without_a_refund(waiting: Order, by: CancelReason) -> None:
    def cancel() -> bool:
        if by is CancelReason.CUSTOMER:
            return lifecycle.cancel_by_customer(order_id=waiting.id, now=LATER)
        return lifecycle.cancel_by_staff(order_id=waiting.id, by=STAFF, now=LATER)

    assert [cancel(), cancel()] == [True, False]
    assert published_events(OrderCancelled) == [OrderCancelled(**about(waiting), reason=by)]
    assert published_events(OrderRefundRequested) == []


def test_staff_cancels_a_paid_order_and_the_money_goes_back_once_though_the_payment_is_heard_again(paid: Order) -> None:
    assert lifecycle.cancel_by_staff(order_id=paid.id, by=STAFF, now=LATER) is True
    pay(paid)

    assert (fresh(paid).state, fresh(paid).cancel_reason) == (State.CANCELLED, CancelReason.STAFF)
    [request] = published_events(OrderRefundRequested)
    assert (request.amount, request.payment_id) == (paid.total, paid.payment_id)


def test_a_paid_order_is_sent_and_delivered(paid: Order) -> None:
    assert lifecycle.ship(order_id=paid.id, carrier="La Poste", tracking="6A1", by=STAFF, now=LATER) is True
    assert lifecycle.deliver(order_id=paid.id, by=STAFF, now=LATER) is True

    assert fresh(paid).state == State.DELIVERED
    sent = {**about(paid), "carrier": "La Poste", "tracking": "6A1"}
    assert published_events(OrderShipped) == [OrderShipped(**sent, at=LATER)]
    assert published_events(OrderDelivered) == [OrderDelivered(**sent)]


def test_what_is_not_paid_is_not_sent_and_what_is_sent_is_not_cancelled(waiting: Order) -> None:
    assert lifecycle.ship(order_id=waiting.id, carrier="", tracking="", by=STAFF, now=LATER) is False
    pay(waiting)
    lifecycle.ship(order_id=waiting.id, carrier="", tracking="", by=STAFF, now=LATER)

    assert lifecycle.cancel_by_staff(order_id=waiting.id, by=STAFF, now=LATER) is False
    assert fresh(waiting).state == State.SHIPPED


def test_news_of_an_order_that_never_was_is_set_aside_for_good(db: None) -> None:
    for heard in (
        lambda: lifecycle.lose_stock(order_id=uuid4(), now=NOW),
        lambda: lifecycle.take_payment(order_id=uuid4(), payment_id=uuid4(), amount=1, currency="EUR", now=NOW),
        lambda: refunds.settle(refund_id=uuid4(), now=NOW),
    ):
        with pytest.raises(Permanent):
            heard()


# --- refunds -------------------------------------------------------------------------------------------------------


@pytest.fixture
def refund(paid: Order) -> Refund:
    lifecycle.cancel_by_staff(order_id=paid.id, by=STAFF, now=LATER)
    return Refund.objects.get(order=paid)


def test_a_refund_is_settled_once_and_a_failure_heard_later_is_old_news(refund: Refund) -> None:
    for _time in range(2):
        refunds.settle(refund_id=refund.id, now=LATER)
    refunds.fail(refund_id=refund.id, code="timeout", now=LATER)

    assert Refund.objects.get(id=refund.id).state == Refund.State.REFUNDED
    assert [told.refund_id for told in published_events(OrderRefunded)] == [refund.id]
    told_steps = list(OrderStep.objects.filter(order=refund.order_id).values_list("kind", flat=True))
    assert told_steps == ["placed", "reserved", "paid", "cancelled", "refund_requested", "refunded"]


def test_a_failed_refund_calls_a_person_who_tries_again_with_the_same_refund(refund: Refund) -> None:
    refunds.fail(refund_id=refund.id, code="account_closed", now=LATER)
    assert Order.objects.get(id=refund.order_id).needs_attention is True
    assert len(published_events(OrderRefundFailed)) == 1

    assert refunds.ask_again(refund_id=refund.id, by=STAFF, now=LATER) is True

    first, second = published_events(OrderRefundRequested)
    assert (second.refund_id, first.number, second.number) == (first.refund_id, 1, 2)
    assert refunds.ask_again(refund_id=refund.id, by=STAFF, now=LATER) is False


def test_a_failure_told_again_after_the_refund_was_tried_again_is_old_news(refund: Refund) -> None:
    for _time in range(2):
        refunds.fail(refund_id=refund.id, code="account_closed", number=1, now=LATER)
        refunds.ask_again(refund_id=refund.id, by=STAFF, now=LATER)

    assert Refund.objects.get(id=refund.id).state == Refund.State.REQUESTED
    assert len(published_events(OrderRefundRequested)) == 2
