"""Nobody reads that nothing was charged while the payment provider lists a charge, nor is asked to pay twice."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.models import DeadLetter, Timer
from eventbus.testing import published_events, settle
from mcommerce.events import OrderCancelled, OrderRefundRequested, PaymentClosed
from mcommerce.orders.models import Order
from mcommerce.payment.models import Attempt
from mcommerce.products.models import Product
from tests.journeys.order_queries import mails_about, state_of, stock_of
from tests.journeys.provider_stub import Company

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock", "company")]

GOOD_CARD, DECLINED_CARD, LOST_ANSWER = "4242424242424242", "4000000000000002", "4000000000000341"
State = Order.State


@pytest.fixture
def page_of(browser: Client) -> Callable[[Order], str]:
    """The words of the order's page."""

    def page_of(order: Order) -> str:
        content = browser.get(reverse("orders:order", args=[order.id])).content.decode()
        content = content.partition('<ol class="timeline">')[0]
        return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", content).split()))

    return page_of


def go_to_pay(browser: Client, order: Order) -> str:
    return str(browser.post(reverse("payment:pay", args=[order.id])).url)


def come_back(browser: Client, order: Order) -> None:
    payment_id = Attempt.objects.get(payment__order_id=order.id).payment_id
    browser.get(reverse("payment:return", args=[payment_id]))
    settle()


def reach_the_deadline(settings: Any) -> None:
    clock.advance(minutes=settings.ORDER_PAYMENT_MINUTES, seconds=1)
    settle()


# --- at the deadline -----------------------------------------------------------------------------------------------


def test_who_paid_in_the_last_second_has_paid(
    order_of: Callable[..., Order], browser: Client, company: Company, vase: Product, settings: Any
) -> None:
    order = order_of()
    page = go_to_pay(browser, order)
    company.go_away()
    clock.advance(minutes=settings.ORDER_PAYMENT_MINUTES, seconds=-1)
    settle()
    company.type_card(page, GOOD_CARD)
    clock.advance(seconds=2)
    company.come_back()
    settle()
    clock.advance(minutes=11)
    settle()

    assert state_of(order) == State.PAID
    assert company.charges() == [(1_900, 0)]
    assert published_events(OrderCancelled) == published_events(OrderRefundRequested) == []
    assert stock_of(vase) == (1, 0)


def test_an_order_whose_page_was_seen_ends_once_that_is_closed(
    order_of: Callable[..., Order], browser: Client, company: Company, vase: Product, settings: Any
) -> None:
    order = order_of()
    page = go_to_pay(browser, order)

    reach_the_deadline(settings)
    company.type_card(page, GOOD_CARD)

    assert state_of(order) == State.CANCELLED
    assert company.charges() == []
    assert stock_of(vase) == (2, 0)
    assert "Nothing was charged." in mails_about(order)[0].body
    clock.advance(hours=2)
    settle()
    assert not Timer.objects.exists()
    assert Order.objects.get().needs_attention is False


def test_while_the_company_is_away_the_order_waits_and_says_so(
    order_of: Callable[..., Order],
    browser: Client,
    company: Company,
    vase: Product,
    page_of: Callable[[Order], str],
    settings: Any,
) -> None:
    order = order_of()
    company.type_card(go_to_pay(browser, order), GOOD_CARD)
    company.go_away()

    reach_the_deadline(settings)

    assert (state_of(order), stock_of(vase), mails_about(order)) == (State.CLOSING, (2, 1), [])
    assert "We are asking the payment provider whether you paid" in page_of(order)
    assert "Nothing was charged" not in page_of(order)
    assert "Pay €19.00" not in page_of(order)

    for _quarter in range(5):
        clock.advance(minutes=15)
        settle()
    assert Order.objects.get().needs_attention is True

    company.come_back()
    clock.advance(minutes=11)
    settle()

    assert state_of(order) == State.PAID
    assert company.charges() == [(1_900, 0)]
    assert not DeadLetter.objects.exists()


def test_an_order_that_nobody_began_to_pay_ends_though_the_company_is_away(
    order_of: Callable[..., Order], company: Company, vase: Product, settings: Any
) -> None:
    order = order_of()
    company.go_away()

    reach_the_deadline(settings)

    assert (state_of(order), company.asked_while_away) == (State.CANCELLED, 0)
    assert len(published_events(PaymentClosed)) == 1
    assert "Nothing was charged." in mails_about(order)[0].body


# --- cancelled by somebody -----------------------------------------------------------------------------------------


def test_a_cancellation_says_nothing_of_the_money_that_may_be_on_its_way(
    order_of: Callable[..., Order], browser: Client, company: Company
) -> None:
    order = order_of()
    company.type_card(go_to_pay(browser, order), GOOD_CARD)
    company.go_away()

    browser.post(reverse("orders:cancel", args=[order.id]))
    settle()
    assert "Nothing was charged" not in mails_about(order)[0].body
    assert "its money comes back to you by itself" in mails_about(order)[0].body

    company.come_back()
    clock.advance(minutes=11)
    settle()
    assert company.charges() == [(1_900, 1_900)]
    assert "€19.00" in mails_about(order)[-1].body


# --- after a lost answer -------------------------------------------------------------------------------------------


def test_after_a_lost_answer_the_page_says_that_we_are_checking_and_offers_no_second_payment(
    order_of: Callable[..., Order], browser: Client, company: Company, page_of: Callable[[Order], str]
) -> None:
    order = order_of()
    assert "Pay €19.00" in page_of(order)
    company.type_card(go_to_pay(browser, order), LOST_ANSWER)

    come_back(browser, order)
    assert "We are checking with the payment provider whether you paid" in page_of(order)
    assert "Pay €19.00" not in page_of(order)

    again = browser.post(reverse("payment:pay", args=[order.id]))
    assert again.status_code == 409
    assert "We are checking your payment" in again.content.decode()
    assert "You were not charged" not in again.content.decode()

    clock.advance(minutes=2)
    settle()
    assert state_of(order) == State.PAID
    assert company.charges() == [(1_900, 0)]


def test_once_the_company_says_that_nothing_was_paid_one_can_pay_again(
    order_of: Callable[..., Order], browser: Client, company: Company, page_of: Callable[[Order], str]
) -> None:
    order = order_of()
    page = go_to_pay(browser, order)
    company.go_away()
    come_back(browser, order)
    assert "Pay €19.00" not in page_of(order)

    company.come_back()
    clock.advance(minutes=1)
    settle()
    assert "Pay €19.00" in page_of(order)
    assert go_to_pay(browser, order) == page


def test_a_decline_speaks_of_its_own_try_alone(
    order_of: Callable[..., Order], browser: Client, company: Company, page_of: Callable[[Order], str]
) -> None:
    order = order_of()
    page = go_to_pay(browser, order)
    company.type_card(page, DECLINED_CARD)
    come_back(browser, order)
    company.type_card(page, GOOD_CARD)  # and no webhook comes

    assert "This try was not charged." in page_of(order)
    assert "Nothing was charged" not in page_of(order)
