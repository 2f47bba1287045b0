"""What a payment tells, and whom it asks, when nothing more is to be asked or told."""

from typing import Any
from uuid import UUID

from eventbus import clock
from eventbus.testing import published_events
from mcommerce.events import PaymentDoubtCleared, PaymentFailed
from mcommerce.payment.models import ATTEMPTS_MAX, Attempt
from mcommerce.payment.services.status_checks import PaymentCheckDue
from tests.mcommerce.payment.conftest import Company, Shopper, settle
from tests.mcommerce.payment.lossy_line import Line
from tests.mcommerce.payment.test_paying import DECLINED, GOOD
from tests.mcommerce.payment.test_refunds import asked


def test_at_the_last_try_another_card_may_follow_on_the_same_page(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any
) -> None:
    payment, now = payment_of(order_id), clock.now()
    for _attempt in range(ATTEMPTS_MAX - 1):
        Attempt.objects.create(payment=payment, provider="sandbox", outcome="expired", started_at=now)
    page = shopper.page_to_pay(order_id)

    company.pay(page, DECLINED)
    shopper.come_back(order_id)
    told = [failed.retryable for failed in published_events(PaymentFailed)]
    company.pay(shopper.page_to_pay(order_id), GOOD)
    shopper.come_back(order_id)

    assert told == [True]
    assert payment_of(order_id).status == "succeeded"


def test_of_a_decline_nobody_is_told_that_a_doubt_is_cleared(
    company: Company, shopper: Shopper, order_id: UUID
) -> None:
    company.pay(shopper.page_to_pay(order_id), DECLINED)
    shopper.come_back(order_id)

    assert len(published_events(PaymentFailed)) == 1
    assert published_events(PaymentDoubtCleared) == []


def test_who_has_paid_is_not_asked_about_any_more(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any, bus_clock: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)
    bus_clock.advance(seconds=11)
    settle()
    asked_before = len(published_events(PaymentCheckDue))

    for _ in range(20):
        bus_clock.advance(minutes=5)
        settle()

    assert payment_of(order_id).status == "succeeded"
    assert len(published_events(PaymentCheckDue)) == asked_before


def test_for_a_first_refund_the_company_is_asked_one_thing(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any, line: Line, tell: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)
    shopper.come_back(order_id)
    line.requests.clear()

    tell(asked(payment_of(order_id)))

    assert [passed.path for passed in line.requests] == ["/v1/refunds"]
