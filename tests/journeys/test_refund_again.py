"""A refund failed, and staff tries it again from the order's page at the desk, with a payment provider that answers."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.testing import settle
from mcommerce.orders.models import Order, OrderStep, Refund
from mcommerce.orders.services import lifecycle
from mcommerce.payment.models import Attempt, Payment
from mcommerce.payment.services.ledger import balances
from tests.journeys.order_queries import mails_about
from tests.journeys.provider_stub import KEY, Company
from tests.mcommerce.payment.lossy_line import Line

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock")]

GOOD_CARD = "4242424242424242"
State = Refund.State


@pytest.fixture
def line(company: Company, settings: Any) -> Iterator[Line]:
    line = Line(company.url)
    settings.SANDBOX_PROVIDER_URL = line.url
    yield line
    line.close()


@pytest.fixture
def desk(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser(email="desk@example.com"))
    return client


@pytest.fixture
def failed(order_of: Callable[..., Order], browser: Client, company: Company, line: Line, settings: Any) -> Order:
    """Paid, cancelled by staff, and its refund refused: the company did not know our key just then."""
    order = order_of()
    company.type_card(str(browser.post(reverse("payment:pay", args=[order.id])).url), GOOD_CARD)
    browser.get(reverse("payment:return", args=[Attempt.objects.get().payment_id]))
    settle()
    settings.SANDBOX_PROVIDER_KEY = "mistyped"
    lifecycle.cancel_by_staff(order_id=order.id, by=uuid4(), now=clock.now())
    settle()
    settings.SANDBOX_PROVIDER_KEY = KEY
    line.requests.clear()
    assert Refund.objects.get().state == State.FAILED
    return order


def press(desk: Client, order: Order) -> str:
    """Try again, from the page that says what will happen; the page that comes then."""
    address = reverse("admin:orders_order_decide", args=[order.id, "refund-again"])
    return desk.post(address, {"seen": Order.objects.get(id=order.id).state}, follow=True).content.decode()


def history(order: Order) -> list[str]:
    """Of the money that goes back: each step with its detail, from the refusal on."""
    steps = [str(step) for step in OrderStep.objects.filter(order=order, kind__startswith="refund")]
    return steps[steps.index("refund_failed wrong_key") + 1 :]


def asked_for(line: Line) -> list[str]:
    """The keys of the refunds that reached the company."""
    return [passed.key for passed in line.requests if passed.path == "/v1/refunds"]


def test_it_is_asked_for_once_more_and_the_history_says_what_came_of_it(
    failed: Order, desk: Client, company: Company, line: Line
) -> None:
    page = press(desk, failed)
    settle()

    assert "Its answer will stand in the history below." in page
    assert len(asked_for(line)) == 1
    assert company.charges() == [(1_900, 1_900)]
    assert history(failed) == ["refund_requested cancelled", "refunded"]
    assert Payment.objects.get().alarm == ""
    assert set(balances().values()) == {0}
    assert mails_about(failed)[-1].subject == f"Your money for order {failed.number} was sent back"


def test_pressed_twice_and_by_two_people_it_is_asked_for_once(
    failed: Order, desk: Client, company: Company, line: Line
) -> None:
    colleague = Client()
    colleague.force_login(get_user_model().objects.create_superuser(email="colleague@example.com"))

    pages = [press(desk, failed), press(desk, failed), press(colleague, failed)]
    settle()

    assert ["Nothing was done" in page for page in pages] == [False, True, True]
    assert len(asked_for(line)) == 1
    assert company.charges() == [(1_900, 1_900)]


def test_a_company_that_refuses_again_is_quoted_and_asked_once_for_each_try(
    failed: Order, desk: Client, company: Company, line: Line, settings: Any
) -> None:
    company.give_back(Payment.objects.get().provider_ref, 1)

    for _try in range(2):
        press(desk, failed)
        settle()

    assert len(asked_for(line)) == len(set(asked_for(line))) == 2, "a key that was refused is used up"
    assert history(failed) == ["refund_requested cancelled", "refund_failed refund_too_large"] * 2
    assert Payment.objects.get().refunded == 0
    assert Order.objects.get().needs_attention


def test_money_that_went_back_by_hand_is_not_asked_for_and_counts_as_sent_back(
    failed: Order, desk: Client, company: Company, line: Line
) -> None:
    company.give_back(Payment.objects.get().provider_ref, 1_900)

    press(desk, failed)
    settle()

    assert asked_for(line) == []
    assert company.charges() == [(1_900, 1_900)]
    assert history(failed) == ["refund_requested cancelled", "refunded already_refunded"]
    assert Refund.objects.get().state == State.REFUNDED
    assert set(balances().values()) == {0}
