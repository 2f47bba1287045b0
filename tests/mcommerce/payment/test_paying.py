"""A shopper pays an order, with each card, on good and on bad days."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from eventbus import clock
from eventbus.ids import uuid7
from eventbus.testing import published_events
from mcommerce.events import PaymentActionRequired, PaymentFailed, PaymentSucceeded
from mcommerce.payment.models import ATTEMPTS_MAX, Attempt, Payment, StatusChange
from mcommerce.payment.services import ledger
from tests.mcommerce.payment.conftest import API_KEY, SITE_URL, Company, Shopper, page_of, settle
from tests.mcommerce.payment.lossy_line import Line

GOOD, DECLINED, SECOND_STEP, LOST_ANSWER = (
    "4242424242424242",
    "4000000000000002",
    "4000000000003220",
    "4000000000000341",
)


def test_a_good_card_pays_the_order(company: Company, shopper: Shopper, order_id: UUID, payment_of: Any) -> None:
    page = shopper.page_to_pay(order_id)
    back = company.pay(page, GOOD).headers["Location"]

    answer = shopper.client.get(back)

    payment = payment_of(order_id)
    assert answer.url == page_of(order_id)
    assert back == f"{SITE_URL}/payment/return/{payment.id}/"
    assert (payment.status, payment.captured) == ("succeeded", 1900)
    [paid] = published_events(PaymentSucceeded)
    [charge] = company.charges()
    assert (paid.order_id, paid.amount, paid.currency, paid.provider) == (order_id, 1900, "EUR", "sandbox")
    assert paid.provider_ref == payment.provider_ref == charge["id"]
    assert ledger.balances() == {("provider", "EUR"): 1900, ("customer", "EUR"): -1900}
    assert list(StatusChange.objects.values_list("status", flat=True)) == ["processing", "succeeded"]


def test_a_made_up_host_takes_nobody_elsewhere(
    company: Company, shopper: Shopper, order_id: UUID, settings: Any
) -> None:
    """Who can make a site take a Host header gets neither the shopper who has paid nor the webhooks."""
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, ".evil.example"]
    shopper.client.defaults["HTTP_HOST"] = "shop.evil.example"

    back = company.pay(shopper.page_to_pay(order_id), GOOD).headers["Location"]

    assert back.startswith(f"{SITE_URL}/payment/return/")
    assert Attempt.objects.get().site_url == SITE_URL


def test_the_page_of_the_company_is_in_the_shoppers_language(
    company: Company, shopper: Shopper, order_id: UUID
) -> None:
    shopper.client.cookies["django_language"] = "fr"

    page = shopper.page_to_pay(order_id)

    assert company.call("GET", f"/v1/sessions/{page.rpartition('/')[2]}").json()["status"] == "open"
    assert Attempt.objects.get().language == "fr"


def test_a_declined_card_is_told_and_another_one_pays(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any
) -> None:
    page = shopper.page_to_pay(order_id)
    company.pay(page, DECLINED)
    shopper.come_back(order_id)
    declined = payment_of(order_id)
    again = shopper.page_to_pay(order_id)
    company.pay(again, GOOD)
    shopper.come_back(order_id)

    assert declined.status == "new"
    [failed] = published_events(PaymentFailed)
    assert (failed.code, failed.retryable) == ("card_declined", True)
    assert again == page
    assert payment_of(order_id).status == "succeeded"
    assert [charge["last4"] for charge in company.charges()] == ["4242"]
    assert Attempt.objects.get().last4 == "4242"


@pytest.mark.parametrize(("answer", "status", "charged"), [("approve", "succeeded", ["3220"]), ("refuse", "new", [])])
def test_a_second_step_decides(
    company: Company,
    shopper: Shopper,
    order_id: UUID,
    payment_of: Any,
    answer: str,
    status: str,
    charged: list[str],
) -> None:
    page = shopper.page_to_pay(order_id)
    company.pay(page, SECOND_STEP)
    shopper.come_back(order_id)
    before = payment_of(order_id).status

    company.confirm(page, answer)
    shopper.come_back(order_id)

    assert before == "action_required"
    assert len(published_events(PaymentActionRequired)) == 1
    assert payment_of(order_id).status == status
    assert [charge["last4"] for charge in company.charges()] == charged


def test_a_charge_whose_every_answer_was_lost_is_found_by_asking(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any, bus_clock: Any
) -> None:
    page = shopper.page_to_pay(order_id)
    company.pay(page, LOST_ANSWER)
    shopper.come_back(order_id)
    after_return = payment_of(order_id).status
    bus_clock.advance(seconds=11)
    settle()
    after_first_check = payment_of(order_id).status
    bus_clock.advance(seconds=21)
    settle()

    assert (after_return, after_first_check) == ("unknown", "unknown")
    assert payment_of(order_id).status == "succeeded"
    assert len(published_events(PaymentSucceeded)) == len(company.charges()) == 1


def test_who_left_after_paying_is_found_by_asking(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any, bus_clock: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)

    bus_clock.advance(seconds=11)
    settle()

    assert payment_of(order_id).status == "succeeded"


def test_who_left_without_paying_is_asked_about_until_the_session_ends(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any, bus_clock: Any
) -> None:
    shopper.page_to_pay(order_id)

    for _ in range(20):
        bus_clock.advance(minutes=5)
        settle()

    [attempt] = Attempt.objects.all()
    assert attempt.outcome == "expired"
    assert attempt.check_number < 12
    assert payment_of(order_id).status == "new"


def test_a_company_that_is_down_charges_nothing_and_is_tried_again(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any
) -> None:
    company.close()
    refused = shopper.go_to_pay(order_id)
    status = payment_of(order_id).status
    company.open()

    company.pay(shopper.page_to_pay(order_id), GOOD)
    shopper.come_back(order_id)

    assert refused.status_code == 503
    assert "You were not charged" in refused.content.decode()
    assert status == "new"
    assert payment_of(order_id).status == "succeeded"
    assert Attempt.objects.count() == 1


def test_a_page_whose_address_was_lost_is_found_again_with_the_same_key(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any, line: Line
) -> None:
    line.answers_to_lose = 1
    lost = shopper.go_to_pay(order_id)
    status = payment_of(order_id).status

    page = shopper.page_to_pay(order_id)
    company.pay(page, GOOD)
    shopper.come_back(order_id)

    assert (lost.status_code, status) == (503, "unknown")
    assert len({request.key for request in line.requests if request.path == "/v1/sessions"}) == 1
    assert payment_of(order_id).status == "succeeded"
    assert len(company.charges()) == 1


def test_a_page_whose_address_was_lost_is_found_by_asking(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any, line: Line, bus_clock: Any
) -> None:
    line.answers_to_lose = 1
    shopper.go_to_pay(order_id)

    bus_clock.advance(seconds=11)
    settle()

    assert payment_of(order_id).status == "processing"
    assert Attempt.objects.get().url.startswith(company.url)


def test_clicking_twice_at_once_leads_to_one_page(company: Company, shopper: Shopper, order_id: UUID) -> None:
    def click(_: int) -> str:
        try:
            return Shopper().page_to_pay(order_id)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as fingers:
        pages = set(fingers.map(click, range(4)))

    assert len(pages) == 1
    assert Attempt.objects.count() == 1


def test_paying_twice_is_refused(company: Company, shopper: Shopper, order_id: UUID) -> None:
    page = shopper.page_to_pay(order_id)
    company.pay(page, GOOD)
    shopper.come_back(order_id)

    again = shopper.go_to_pay(order_id)
    company.pay(page, GOOD)

    assert again.url == page_of(order_id)
    assert len(company.charges()) == 1


def test_a_late_shopper_can_no_longer_pay(company: Company, shopper: Shopper, order_id: UUID, bus_clock: Any) -> None:
    bus_clock.advance(minutes=31)

    answer = shopper.go_to_pay(order_id)

    assert answer.status_code == 409
    assert not Attempt.objects.exists()


@pytest.mark.parametrize(
    ("language", "words"), [("en", "The payment provider refuses"), ("fr", "Le prestataire de paiement refuse")]
)
def test_a_company_that_refuses_is_not_called_a_cancelled_order(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any, settings: Any, language: str, words: str
) -> None:
    settings.SANDBOX_PROVIDER_KEY = "key-of-somebody-else"
    shopper.client.cookies["django_language"] = language
    refused = shopper.go_to_pay(order_id)
    settings.SANDBOX_PROVIDER_KEY = API_KEY

    company.pay(shopper.page_to_pay(order_id), GOOD)
    shopper.come_back(order_id)

    assert (refused.status_code, words in refused.text) == (503, True)
    assert payment_of(order_id).status == "succeeded"


def test_who_tried_too_often_is_told_so_and_offered_no_further_try(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any, settings: Any
) -> None:
    payment, now = payment_of(order_id), clock.now()
    for _attempt in range(ATTEMPTS_MAX - 1):
        Attempt.objects.create(payment=payment, provider="sandbox", outcome="expired", started_at=now)
    settings.SANDBOX_PROVIDER_KEY = "key-of-somebody-else"
    shopper.go_to_pay(order_id)

    answer = shopper.go_to_pay(order_id)

    assert [failed.retryable for failed in published_events(PaymentFailed)] == [False]
    assert (answer.status_code, "This order was tried too often" in answer.text) == (409, True)
    assert "Try again" not in answer.text


def test_an_order_that_does_not_wait_for_money_cannot_be_paid(company: Company, shopper: Shopper, db: None) -> None:
    assert shopper.go_to_pay(uuid7()).status_code == 409


def test_the_refusal_speaks_french(company: Company, shopper: Shopper, order_id: UUID) -> None:
    company.close()
    shopper.client.cookies["django_language"] = "fr"

    page = shopper.go_to_pay(order_id).content.decode()

    assert "Vous n’avez pas été débité" in page


def test_a_session_over_another_amount_pays_nothing_silently(
    company: Company, shopper: Shopper, order_id: UUID, payment_of: Any
) -> None:
    page = shopper.page_to_pay(order_id)
    Payment.objects.update(amount=5000)
    company.pay(page, GOOD)

    shopper.come_back(order_id)

    [told] = published_events(PaymentSucceeded)
    assert told.amount == 1900  # what was taken: the order sees that it is not its total
    assert payment_of(order_id).alarm == "€19.00 was charged"
