"""What the company tells the shop by itself: once or more, late, reversed, or not by the company at all."""

import json
import threading
from typing import Any

import pytest
from django.db import connections
from django.urls import reverse

from eventbus import clock
from eventbus.testing import published_events
from mcommerce.events import PaymentFailed, PaymentSucceeded
from mcommerce.payment.models import Attempt, LedgerEntry, WebhookReceipt
from mcommerce.payment.sandbox import sign
from tests.mcommerce.payment.conftest import DECLINED, GOOD, SECOND_STEP, WEBHOOK_SECRET, Shopper
from tests.mcommerce.payment.lossy_line import Catcher, Caught
from tests.waiting import until

pytestmark = pytest.mark.postgresql


@pytest.fixture
def shopper(shopper: Shopper, catcher: Catcher, settings: Any) -> Shopper:
    """A shopper on a shop whose webhooks the catcher gets."""
    settings.SITE_URL = catcher.url
    return shopper


@pytest.fixture
def told(shopper: Shopper, catcher: Catcher) -> Caught:
    """The webhook about a good card."""
    shopper.pay()
    return catcher.next()


def hear(shopper: Shopper, caught: Caught, *, signature: str | None = None) -> int:
    """Deliver a webhook to the shop; its status."""
    headers = {"Sandbox-Signature": caught.signature if signature is None else signature}
    url = reverse("payment:webhook", args=["sandbox"])
    answer = shopper.client.post(url, caught.body, content_type="application/json", headers=headers)
    return int(answer.status_code)


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, ago: int = 0) -> str:
    return sign(body, secret=secret, at=int(clock.now().timestamp()) - ago)


def test_a_webhook_alone_settles_the_payment_and_told_again_changes_nothing(shopper: Shopper, told: Caught) -> None:
    assert hear(shopper, told) == 200
    assert shopper.payment.status == "succeeded"

    assert [hear(shopper, told) for _ in range(2)] == [200, 200]
    shopper.come_back()
    assert len(published_events(PaymentSucceeded)) == 1
    assert LedgerEntry.objects.count() == WebhookReceipt.objects.count() == 1


def test_webhooks_in_reverse_order_end_the_same(shopper: Shopper, catcher: Catcher) -> None:
    page = shopper.page()
    shopper.company.pay(page, DECLINED)
    shopper.company.pay(page, GOOD)
    declined, paid = sorted((catcher.next(), catcher.next()), key=lambda told: b"session.succeeded" in told.body)

    statuses = [hear(shopper, paid), hear(shopper, declined)]

    assert statuses == [200, 200]
    assert shopper.payment.status == "succeeded"
    assert published_events(PaymentFailed) == []


def test_an_older_decline_does_not_undo_a_newer_second_step(shopper: Shopper, catcher: Catcher) -> None:
    page = shopper.page()
    shopper.company.pay(page, DECLINED)
    declined = catcher.next()
    shopper.company.pay(page, SECOND_STEP)

    hear(shopper, catcher.next())
    hear(shopper, declined)

    assert shopper.payment.status == "action_required"
    assert Attempt.objects.get().outcome == "action_required"


@pytest.mark.parametrize(
    "forge",
    [
        lambda body: "",
        lambda body: "t=1,v1=00",
        lambda body: signed(body, secret="another secret"),
        lambda body: signed(body + b" "),
        lambda body: signed(body, ago=301),
        lambda body: signed(body, ago=-301),
    ],
    ids=["unsigned", "malformed", "another secret", "another body", "too old", "from the future"],
)
def test_a_webhook_that_is_not_genuine_is_refused(shopper: Shopper, told: Caught, forge: Any) -> None:
    assert hear(shopper, told, signature=forge(told.body)) == 400
    assert shopper.payment.status == "processing"
    assert not WebhookReceipt.objects.exists()


def test_while_the_secret_is_changed_the_old_one_and_the_new_one_are_good(
    shopper: Shopper, told: Caught, settings: Any
) -> None:
    settings.SANDBOX_WEBHOOK_SECRET, settings.SANDBOX_WEBHOOK_SECRET_FALLBACKS = "the new secret", [WEBHOOK_SECRET]

    assert hear(shopper, told) == 200
    assert shopper.payment.status == "succeeded"
    assert hear(shopper, told, signature=signed(told.body, secret="the new secret")) == 200
    settings.SANDBOX_WEBHOOK_SECRET_FALLBACKS = []
    assert hear(shopper, told) == 400


def test_a_captured_webhook_cannot_be_replayed_later(shopper: Shopper, told: Caught, bus_clock: Any) -> None:
    bus_clock.advance(minutes=6)

    assert hear(shopper, told) == 400


def test_a_webhook_of_a_stranger_is_not_taken_for_heard(shopper: Shopper, told: Caught) -> None:
    strange = json.loads(told.body)
    strange["session"]["id"] = "ses_of_another_shop"
    body = json.dumps(strange).encode()

    assert hear(shopper, Caught(body, signed(body))) == 404
    assert not WebhookReceipt.objects.exists()


def test_what_is_no_webhook_is_refused(shopper: Shopper) -> None:
    assert hear(shopper, Caught(b"x" * 70_000, "")) == 413
    assert shopper.client.post("/payment/webhook/nobody/", b"{}", content_type="application/json").status_code == 404
    assert shopper.client.get("/payment/webhook/sandbox/").status_code == 405


def test_a_webhook_racing_the_return_page_pays_once(shopper: Shopper, told: Caught) -> None:
    start = threading.Barrier(6)
    statuses: list[int] = []

    def race(run: Any) -> None:
        start.wait()
        try:
            statuses.append(run())
        finally:
            connections.close_all()

    webhook, back = (lambda: hear(shopper, told)), (lambda: shopper.come_back().status_code)
    racers = [threading.Thread(target=race, args=(run,)) for run in (webhook, back) * 3]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert sorted(statuses) == [200, 200, 200, 302, 302, 302]
    assert shopper.payment.captured == 1900
    assert len(published_events(PaymentSucceeded)) == LedgerEntry.objects.count() == 1


def test_the_company_reaches_a_running_shop(shopper: Shopper, live_server: Any, settings: Any) -> None:
    settings.SITE_URL = live_server.url

    shopper.pay()

    until(lambda: shopper.payment.status == "succeeded", "the webhook")
