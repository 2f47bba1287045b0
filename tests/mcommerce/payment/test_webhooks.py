"""What the company tells the shop by itself: once or more, late, reversed, or not by the company at all."""

import json
import threading
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.urls import reverse

from eventbus import clock
from eventbus.testing import published_events
from mcommerce.events import PaymentFailed, PaymentSucceeded
from mcommerce.payment.models import Attempt, LedgerEntry, WebhookReceipt
from mcommerce.payment.sandbox import sign
from tests.mcommerce.payment.conftest import WEBHOOK_SECRET, Catcher, Caught, Company, Shopper
from tests.waiting import until

GOOD, DECLINED = "4242424242424242", "4000000000000002"


@pytest.fixture
def shopper(company: Company, catcher: Catcher, settings: Any) -> Shopper:
    """A shopper on a shop whose webhooks the catcher gets."""
    settings.SITE_URL = f"http://{catcher.host}"
    return Shopper()


def hear(shopper: Shopper, caught: Caught, *, signature: str | None = None) -> int:
    """Deliver a webhook to the shop; its status."""
    headers = {"Sandbox-Signature": caught.signature if signature is None else signature}
    url = reverse("payment:webhook", args=["sandbox"])
    answer = shopper.client.post(url, caught.body, content_type="application/json", headers=headers)
    return int(answer.status_code)


def test_a_webhook_alone_settles_the_payment(
    company: Company, shopper: Shopper, catcher: Catcher, order_id: UUID, payment_of: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)

    status = hear(shopper, catcher.next())

    assert status == 200
    assert payment_of(order_id).status == "succeeded"


def test_a_webhook_told_again_changes_nothing(
    company: Company, shopper: Shopper, catcher: Catcher, order_id: UUID
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)
    told = catcher.next()

    statuses = [hear(shopper, told) for _ in range(3)]
    shopper.come_back(order_id)

    assert statuses == [200, 200, 200]
    assert len(published_events(PaymentSucceeded)) == 1
    assert LedgerEntry.objects.count() == WebhookReceipt.objects.count() == 1


def test_webhooks_in_reverse_order_end_the_same(
    company: Company, shopper: Shopper, catcher: Catcher, order_id: UUID, payment_of: Any
) -> None:
    page = shopper.page_to_pay(order_id)
    company.pay(page, DECLINED)
    company.pay(page, GOOD)
    declined, paid = sorted((catcher.next(), catcher.next()), key=lambda told: b"session.succeeded" in told.body)

    statuses = [hear(shopper, paid), hear(shopper, declined)]

    assert statuses == [200, 200]
    assert payment_of(order_id).status == "succeeded"
    assert published_events(PaymentFailed) == []


def test_an_older_decline_does_not_undo_a_newer_second_step(
    company: Company, shopper: Shopper, catcher: Catcher, order_id: UUID, payment_of: Any
) -> None:
    page = shopper.page_to_pay(order_id)
    company.pay(page, DECLINED)
    declined = catcher.next()
    company.pay(page, "4000000000003220")
    waiting = catcher.next()

    hear(shopper, waiting)
    hear(shopper, declined)

    assert payment_of(order_id).status == "action_required"
    assert Attempt.objects.get().outcome == "action_required"


@pytest.mark.parametrize(
    "forge",
    [
        lambda body: "",
        lambda body: "t=1,v1=00",
        lambda body: sign(body, secret="another secret", at=int(clock.now().timestamp())),
        lambda body: sign(body + b" ", secret=WEBHOOK_SECRET, at=int(clock.now().timestamp())),
        lambda body: sign(body, secret=WEBHOOK_SECRET, at=int(clock.now().timestamp()) - 301),
        lambda body: sign(body, secret=WEBHOOK_SECRET, at=int(clock.now().timestamp()) + 301),
    ],
    ids=["unsigned", "malformed", "another secret", "another body", "too old", "from the future"],
)
def test_a_webhook_that_is_not_genuine_is_refused(
    company: Company, shopper: Shopper, catcher: Catcher, order_id: UUID, payment_of: Any, forge: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)
    told = catcher.next()

    status = hear(shopper, told, signature=forge(told.body))

    assert status == 400
    assert payment_of(order_id).status == "processing"
    assert not WebhookReceipt.objects.exists()


def test_while_the_secret_is_changed_the_old_one_and_the_new_one_are_good(
    company: Company, shopper: Shopper, catcher: Catcher, order_id: UUID, payment_of: Any, settings: Any
) -> None:
    settings.SANDBOX_WEBHOOK_SECRET, settings.SANDBOX_WEBHOOK_SECRET_FALLBACKS = "the new secret", [WEBHOOK_SECRET]
    company.pay(shopper.page_to_pay(order_id), GOOD)
    told = catcher.next()
    now = int(clock.now().timestamp())

    assert hear(shopper, told) == 200
    assert payment_of(order_id).status == "succeeded"
    assert hear(shopper, told, signature=sign(told.body, secret="the new secret", at=now)) == 200
    settings.SANDBOX_WEBHOOK_SECRET_FALLBACKS = []
    assert hear(shopper, told) == 400


def test_a_captured_webhook_cannot_be_replayed_later(
    company: Company, shopper: Shopper, catcher: Catcher, order_id: UUID, bus_clock: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)
    told = catcher.next()

    bus_clock.advance(minutes=6)

    assert hear(shopper, told) == 400


def test_a_webhook_of_a_stranger_is_not_taken_for_heard(
    company: Company, shopper: Shopper, catcher: Catcher, order_id: UUID
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)
    told = json.loads(catcher.next().body)
    told["session"]["id"] = "ses_of_another_shop"
    body = json.dumps(told).encode()
    signature = sign(body, secret=WEBHOOK_SECRET, at=int(clock.now().timestamp()))

    assert hear(shopper, Caught(body, signature)) == 404
    assert not WebhookReceipt.objects.exists()


def test_a_webhook_too_large_is_refused(shopper: Shopper, company: Company, db: None) -> None:
    assert hear(shopper, Caught(b"x" * 70_000, "")) == 413


def test_a_webhook_for_no_provider_is_not_found(shopper: Shopper, company: Company, db: None) -> None:
    assert shopper.client.post("/payment/webhook/nobody/", b"{}", content_type="application/json").status_code == 404


def test_a_webhook_needs_no_form_token_and_nothing_else_gets_in(shopper: Shopper, company: Company, db: None) -> None:
    assert shopper.client.get("/payment/webhook/sandbox/").status_code == 405


def test_a_webhook_racing_the_return_page_pays_once(
    company: Company, shopper: Shopper, catcher: Catcher, order_id: UUID, payment_of: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), GOOD)
    told = catcher.next()
    start = threading.Barrier(6)
    statuses: list[int] = []

    def race(run: Any) -> None:
        start.wait()
        try:
            statuses.append(run())
        finally:
            connections.close_all()

    webhook, back = (lambda: hear(shopper, told)), (lambda: shopper.come_back(order_id).status_code)
    racers = [threading.Thread(target=race, args=(run,)) for run in (webhook, back) * 3]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert sorted(statuses) == [200, 200, 200, 302, 302, 302]
    assert payment_of(order_id).captured == 1900
    assert len(published_events(PaymentSucceeded)) == LedgerEntry.objects.count() == 1


def test_the_company_reaches_a_running_shop(
    company: Company, live_server: Any, order_id: UUID, payment_of: Any, settings: Any
) -> None:
    settings.SITE_URL, shopper = live_server.url, Shopper()

    company.pay(shopper.page_to_pay(order_id), GOOD)

    until(lambda: payment_of(order_id).status == "succeeded", "the webhook")
