"""An order is cancelled while somebody pays it."""

import pytest

from eventbus.ids import uuid7
from eventbus.testing import published_events, sample
from mcommerce.events import OrderCancelled, PaymentClosed, PaymentFailed, PaymentSucceeded
from mcommerce.payment.models import Attempt, Payment
from tests.mcommerce.payment.conftest import GOOD, Company, Shopper, settle
from tests.mcommerce.payment.lossy_line import Line


def cancel(shopper: Shopper, reason: str = "customer") -> None:
    settle(sample(OrderCancelled, order_id=shopper.order_id, reason=reason))


def test_a_cancelled_order_can_no_longer_be_paid_at_the_company(shopper: Shopper) -> None:
    page = shopper.page()

    cancel(shopper)
    shopper.company.pay(page, GOOD)

    assert shopper.payment.status == "cancelled"
    assert Attempt.objects.get().outcome == "expired"
    assert shopper.company.charges() == []
    assert published_events(PaymentFailed) == []
    assert [closed.order_id for closed in published_events(PaymentClosed)] == [shopper.order_id]
    assert shopper.press().status_code == 409


@pytest.mark.parametrize("came_back", [False, True])
def test_money_taken_before_the_cancellation_is_told_once(shopper: Shopper, came_back: bool) -> None:
    shopper.pay()
    if came_back:
        shopper.come_back()

    cancel(shopper, "payment_timeout")

    assert shopper.payment.status == "succeeded"
    assert len(published_events(PaymentSucceeded)) == len(shopper.company.charges()) == 1


def test_a_session_whose_address_was_lost_is_closed_too(shopper: Shopper, line: Line) -> None:
    line.answers_to_lose = 1
    shopper.press()

    cancel(shopper)

    assert Attempt.objects.get().outcome == "expired"


def test_an_order_cancelled_before_it_waited_for_money_has_no_payment(company: Company, transactional_db: None) -> None:
    settle(sample(OrderCancelled, order_id=uuid7(), reason="stock_rejected"))

    assert not Payment.objects.exists()
