"""A shopper pays an order, with each card, on good and on bad days."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.urls import reverse

from eventbus import clock
from eventbus.ids import uuid7
from eventbus.testing import published_events
from mcommerce.events import PaymentActionRequired, PaymentDoubtCleared, PaymentFailed, PaymentSucceeded
from mcommerce.payment.limits import PAYS_PER_NETWORK
from mcommerce.payment.models import ATTEMPTS_MAX, Attempt, Payment, StatusChange
from mcommerce.payment.services import ledger
from mcommerce.payment.services.status_checks import PaymentCheckDue
from tests.mcommerce.payment.conftest import (
    API_KEY,
    DECLINED,
    GOOD,
    LOST_ANSWER,
    SECOND_STEP,
    SITE_URL,
    Company,
    Shopper,
    page_of,
    settle,
)
from tests.mcommerce.payment.lossy_line import Line

pytestmark = pytest.mark.postgresql


def try_in_vain(shopper: Shopper, times: int) -> None:
    for _attempt in range(times):
        Attempt.objects.create(payment=shopper.payment, provider="sandbox", outcome="expired", started_at=clock.now())


def test_a_good_card_pays_the_order(shopper: Shopper) -> None:
    back = shopper.pay()

    answer = shopper.client.get(back)

    payment = shopper.payment
    assert answer.url == page_of(shopper.order_id)
    assert back == f"{SITE_URL}/payment/return/{payment.id}/"
    assert (payment.status, payment.captured) == ("succeeded", 1900)
    [paid] = published_events(PaymentSucceeded)
    [charge] = shopper.company.charges()
    assert (paid.order_id, paid.amount, paid.currency, paid.provider) == (shopper.order_id, 1900, "EUR", "sandbox")
    assert paid.provider_ref == payment.provider_ref == charge["id"]
    assert ledger.balances() == {("provider", "EUR"): 1900, ("customer", "EUR"): -1900}
    assert list(StatusChange.objects.values_list("status", flat=True)) == ["processing", "succeeded"]


def test_a_made_up_host_takes_nobody_elsewhere(shopper: Shopper, settings: Any) -> None:
    """Who can make a site take a Host header gets neither the shopper who has paid nor the webhooks."""
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, ".evil.example"]
    shopper.client.defaults["HTTP_HOST"] = "shop.evil.example"
    shopper.client.cookies["django_language"] = "fr"

    assert shopper.pay().startswith(f"{SITE_URL}/payment/return/")
    assert (Attempt.objects.get().site_url, Attempt.objects.get().language) == (SITE_URL, "fr")


@pytest.mark.parametrize("tries_before", [0, ATTEMPTS_MAX - 1], ids=["first try", "last try"])
def test_a_declined_card_is_told_and_another_one_pays_on_the_same_page(shopper: Shopper, tries_before: int) -> None:
    try_in_vain(shopper, tries_before)
    page = shopper.page()
    shopper.company.pay(page, DECLINED)
    shopper.come_back()
    declined = shopper.payment

    again = shopper.page()
    shopper.company.pay(again, GOOD)
    shopper.come_back()

    assert declined.status == "new"
    [failed] = published_events(PaymentFailed)
    assert (failed.code, failed.retryable) == ("card_declined", True)
    assert published_events(PaymentDoubtCleared) == []
    assert again == page
    assert shopper.payment.status == "succeeded"
    assert [charge["last4"] for charge in shopper.company.charges()] == ["4242"]
    assert Attempt.objects.exclude(outcome="expired").get().last4 == "4242"


@pytest.mark.parametrize(("answer", "status", "charged"), [("approve", "succeeded", ["3220"]), ("refuse", "new", [])])
def test_a_second_step_decides(shopper: Shopper, answer: str, status: str, charged: list[str]) -> None:
    page = shopper.page()
    shopper.company.pay(page, SECOND_STEP)
    shopper.come_back()
    before = shopper.payment.status

    shopper.company.confirm(page, answer)
    shopper.come_back()

    assert before == "action_required"
    assert len(published_events(PaymentActionRequired)) == 1
    assert shopper.payment.status == status
    assert [charge["last4"] for charge in shopper.company.charges()] == charged


def test_a_charge_whose_every_answer_was_lost_is_found_by_asking(shopper: Shopper, bus_clock: Any) -> None:
    shopper.pay(LOST_ANSWER)
    shopper.come_back()
    statuses = [shopper.payment.status]
    for seconds in (11, 21):
        bus_clock.advance(seconds=seconds)
        settle()
        statuses.append(shopper.payment.status)

    assert statuses == ["unknown", "unknown", "succeeded"]
    assert len(published_events(PaymentSucceeded)) == len(shopper.company.charges()) == 1


def test_who_may_have_paid_is_not_led_to_pay_again(shopper: Shopper) -> None:
    shopper.pay(LOST_ANSWER)
    shopper.come_back()

    answer = shopper.press()

    assert (answer.status_code, "We are checking your payment" in answer.text) == (409, True)
    assert "Try again" not in answer.text


def test_who_left_after_paying_is_found_by_asking_and_asked_about_no_more(shopper: Shopper, bus_clock: Any) -> None:
    shopper.pay()

    bus_clock.advance(seconds=11)
    settle()

    assert shopper.payment.status == "succeeded"
    asked = len(published_events(PaymentCheckDue))
    for _ in range(20):
        bus_clock.advance(minutes=5)
        settle()
    assert len(published_events(PaymentCheckDue)) == asked


def test_who_left_without_paying_is_asked_about_until_the_session_ends(shopper: Shopper, bus_clock: Any) -> None:
    shopper.page()

    for _ in range(20):
        bus_clock.advance(minutes=5)
        settle()

    [attempt] = Attempt.objects.all()
    assert attempt.outcome == "expired"
    assert attempt.check_number < 12
    assert shopper.payment.status == "new"


@pytest.mark.parametrize(("language", "words"), [("en", "You were not charged"), ("fr", "Vous n’avez pas été débité")])
def test_a_company_that_is_down_charges_nothing_and_is_tried_again(shopper: Shopper, language: str, words: str) -> None:
    shopper.client.cookies["django_language"] = language
    shopper.company.close()
    refused = shopper.press()
    status = shopper.payment.status
    shopper.company.open()

    shopper.pay()
    shopper.come_back()

    assert (refused.status_code, words in refused.text) == (503, True)
    assert status == "new"
    assert shopper.payment.status == "succeeded"
    assert Attempt.objects.count() == 1


def test_a_page_whose_address_was_lost_is_found_again_with_the_same_key(shopper: Shopper, line: Line) -> None:
    line.answers_to_lose = 1
    lost = shopper.press()
    status = shopper.payment.status

    shopper.pay()
    shopper.come_back()

    assert (lost.status_code, status) == (503, "unknown")
    assert len(set(line.keys_of("/v1/sessions"))) == 1
    assert shopper.payment.status == "succeeded"
    assert len(shopper.company.charges()) == 1


def test_a_page_whose_address_was_lost_is_found_by_asking(shopper: Shopper, line: Line, bus_clock: Any) -> None:
    line.answers_to_lose = 1
    shopper.press()

    bus_clock.advance(seconds=11)
    settle()

    assert shopper.payment.status == "processing"
    assert Attempt.objects.get().url.startswith(shopper.company.url)


def test_clicking_twice_at_once_leads_to_one_page(shopper: Shopper) -> None:
    def click(_: int) -> str:
        try:
            return Shopper(shopper.company, shopper.order_id).page()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as fingers:
        pages = set(fingers.map(click, range(4)))

    assert len(pages) == 1
    assert Attempt.objects.count() == 1


def test_paying_twice_is_refused(shopper: Shopper) -> None:
    page = shopper.page()
    shopper.company.pay(page, GOOD)
    shopper.come_back()

    again = shopper.press()
    shopper.company.pay(page, GOOD)

    assert again.url == page_of(shopper.order_id)
    assert len(shopper.company.charges()) == 1


def test_a_late_shopper_can_no_longer_pay(shopper: Shopper, bus_clock: Any) -> None:
    bus_clock.advance(minutes=31)

    assert shopper.press().status_code == 409
    assert Shopper(shopper.company, uuid7()).press().status_code == 409, "nor an order that waits for no money"
    assert not Attempt.objects.exists()


@pytest.mark.parametrize(
    ("language", "words"), [("en", "The payment provider refuses"), ("fr", "Le prestataire de paiement refuse")]
)
def test_a_company_that_refuses_is_not_called_a_cancelled_order(
    shopper: Shopper, settings: Any, language: str, words: str
) -> None:
    settings.SANDBOX_PROVIDER_KEY = "key-of-somebody-else"
    shopper.client.cookies["django_language"] = language
    refused = shopper.press()
    settings.SANDBOX_PROVIDER_KEY = API_KEY

    shopper.pay()
    shopper.come_back()

    assert (refused.status_code, words in refused.text) == (503, True)
    assert shopper.payment.status == "succeeded"


def test_who_tried_too_often_is_told_so_and_offered_no_further_try(shopper: Shopper, settings: Any) -> None:
    try_in_vain(shopper, ATTEMPTS_MAX - 1)
    settings.SANDBOX_PROVIDER_KEY = "key-of-somebody-else"
    shopper.press()

    answer = shopper.press()

    assert [failed.retryable for failed in published_events(PaymentFailed)] == [False]
    assert (answer.status_code, "This order was tried too often" in answer.text) == (409, True)
    assert "Try again" not in answer.text


def test_a_session_over_another_amount_pays_nothing_silently(shopper: Shopper) -> None:
    page = shopper.page()
    Payment.objects.update(amount=5000)
    shopper.company.pay(page, GOOD)

    shopper.come_back()

    [told] = published_events(PaymentSucceeded)
    assert told.amount == 1900  # what was taken: the order sees that it is not its total
    assert shopper.payment.alarm == "€19.00 was charged"


def test_a_robot_is_slowed_down(shopper: Shopper, bus_clock: Any) -> None:
    bus_clock.hold(clock.now())  # windows begin with each minute: no try may fall into the next
    answers = [shopper.press() for _ in range(11)]

    assert [answer.status_code for answer in answers] == [302] * 10 + [429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert "very often" in answers[-1].text


def test_a_robot_with_many_ipv6_addresses_is_slowed_down(company: Company, db: None, bus_clock: Any) -> None:
    bus_clock.hold(clock.now())
    shopper = Shopper(company, uuid7())
    answers = [
        shopper.client.post(reverse("payment:pay", args=[uuid7()]), REMOTE_ADDR=f"2001:db8::{number:x}").status_code
        for number in range(PAYS_PER_NETWORK.at_most + 1)
    ]

    assert answers == [409] * PAYS_PER_NETWORK.at_most + [429]
