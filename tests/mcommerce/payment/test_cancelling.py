"""An order is cancelled while somebody pays it."""

from typing import Any
from uuid import UUID

from eventbus.ids import uuid7
from eventbus.testing import published_events, sample
from mcommerce.events import OrderCancelled, PaymentClosed, PaymentFailed, PaymentSucceeded
from mcommerce.payment.models import Attempt, Payment
from tests.mcommerce.payment.conftest import Company, Shopper, settle
from tests.mcommerce.payment.lossy_line import Line

GOOD = "4242424242424242"


def test_a_cancelled_order_can_no_longer_be_paid_at_the_company(
    company: Company, shopper: Shopper, order_id: UUID, tell: Any, payment_of: Any
) -> None:
    page = shopper.page_to_pay(order_id)

    tell(sample(OrderCancelled, order_id=order_id, reason="customer"))
    company.pay(page, GOOD)

    assert payment_of(order_id).status == "cancelled"
    assert Attempt.objects.get().outcome == "expired"
    assert company.charges() == []
    assert published_events(PaymentFailed) == []
    assert [closed.order_id for closed in published_events(PaymentClosed)] == [order_id]
    assert shopper.go_to_pay(order_id).status_code == 409


def test_money_taken_before_the_cancellation_is_told(
    company: Company, shopper: Shopper, order_id: UUID, tell: Any, payment_of: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)

    tell(sample(OrderCancelled, order_id=order_id, reason="payment_timeout"))

    assert payment_of(order_id).status == "succeeded"
    assert len(published_events(PaymentSucceeded)) == len(company.charges()) == 1


def test_a_session_is_closed_once_the_company_answers_again(
    company: Company, shopper: Shopper, order_id: UUID, tell: Any, bus_clock: Any
) -> None:
    page = shopper.page_to_pay(order_id)
    company.close()
    tell(sample(OrderCancelled, order_id=order_id, reason="customer"))
    company.open()

    bus_clock.advance(minutes=1)
    settle()
    company.pay(page, GOOD)

    assert Attempt.objects.get().outcome == "expired"
    assert company.charges() == []


def test_a_session_whose_address_was_lost_is_closed_too(
    company: Company, shopper: Shopper, order_id: UUID, tell: Any, line: Line
) -> None:
    line.answers_to_lose = 1
    shopper.go_to_pay(order_id)

    tell(sample(OrderCancelled, order_id=order_id, reason="customer"))

    assert Attempt.objects.get().outcome == "expired"


def test_a_paid_payment_stays_paid_when_its_order_is_cancelled(
    company: Company, shopper: Shopper, order_id: UUID, tell: Any, payment_of: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)
    shopper.come_back(order_id)

    tell(sample(OrderCancelled, order_id=order_id, reason="stock_lost"))

    assert payment_of(order_id).status == "succeeded"


def test_an_order_cancelled_before_it_waited_for_money_has_no_payment(
    company: Company, transactional_db: None, tell: Any
) -> None:
    tell(sample(OrderCancelled, order_id=uuid7(), reason="stock_rejected"))

    assert not Payment.objects.exists()
