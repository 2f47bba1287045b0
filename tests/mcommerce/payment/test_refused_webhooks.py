"""Webhooks are refused: an operator reads it, since when and why, until one is accepted. Strangers alarm nobody."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from eventbus import clock
from eventbus.ids import uuid7
from eventbus.operations import status
from mcommerce.overview.faults import Fault, faults
from mcommerce.payment.models import Attempt, Payment, RefusedWebhooks
from mcommerce.payment.sandbox import sign
from mcommerce.payment.sandbox.webhooks import BACKOFF_SECONDS
from mcommerce.payment.services import webhook_refusals
from mcommerce.payment.services.webhook_refusals import COUNTED_MAX, OVER_AFTER, TOLD_FROM, WRITE_AGAIN_AFTER
from tests.mcommerce.payment.conftest import WEBHOOK_SECRET

OURS = "ses_of_a_shopper"
BODY = json.dumps({"id": "evt_1", "type": "payout.paid", "session": {"id": OURS}}).encode()
UNREADABLE, TOO_LARGE = b"{", BODY + b" " * 70_000

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def shop(settings: Any, bus_clock: Any) -> None:
    """A shop with one session at the provider."""
    settings.SANDBOX_WEBHOOK_SECRET, settings.SANDBOX_WEBHOOK_SECRET_FALLBACKS = WEBHOOK_SECRET, []
    payment = Payment.objects.create(order_id=uuid7(), amount=1900, currency="EUR", expires_at=clock.now())
    Attempt.objects.create(payment=payment, provider="sandbox", provider_ref=OURS, started_at=clock.now())


def hear(
    body: bytes = BODY, *, secret: str = WEBHOOK_SECRET, ago: int = 0, signature: str | None = None, to: str = "sandbox"
) -> int:
    """Post a webhook that was signed `ago` seconds ago; the status of the answer."""
    if signature is None:
        signature = sign(body, secret=secret, at=int(clock.now().timestamp()) - ago)
    headers, url = {"Sandbox-Signature": signature}, reverse("payment:webhook", args=[to])
    return int(Client().post(url, body, content_type="application/json", headers=headers).status_code)


def named() -> list[Fault]:
    """The faults of webhooks that the overview names."""
    return [one for one in faults(status.status()) if one.id.startswith("webhook:")]


@pytest.mark.parametrize(
    ("body", "how", "reason"),
    [
        (BODY, {"signature": ""}, "no signature"),  # a proxy removes the header
        (BODY, {"secret": "another"}, "wrong signature"),
        (BODY, {"ago": 301}, "signed too long ago"),
        (UNREADABLE, {}, "it is not JSON"),
        (TOO_LARGE, {}, "too large"),
    ],
    ids=["unsigned", "wrong secret", "too old", "malformed", "too large"],
)
def test_a_refusal_is_named_until_a_webhook_is_accepted(body: bytes, how: dict[str, Any], reason: str) -> None:
    begun = clock.now()
    for _again in range(TOLD_FROM - 1):
        assert hear(body, **how) in (400, 413)
        clock.advance(seconds=1)
    assert named() == [], "a shopper's one forged webhook is none"
    hear(body, **how)

    [fault] = named()
    assert fault.title == "Webhooks of sandbox are refused" and fault.since == begun
    assert f"accepted: {TOLD_FROM}," in fault.text and reason in fault.text and "a shopper" in fault.text
    assert fault.link == reverse("admin:payment_refusedwebhooks_changelist")
    with override("fr"):
        assert [one.title for one in named()] == ["Les webhooks de sandbox sont refusés"]
    assert max(BACKOFF_SECONDS) < OVER_AFTER.total_seconds(), "the provider's longest pause does not end it"

    assert hear() == 200
    assert named() == []


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (b"anything", ""),
        (b'{"id": "evt_1", "type": "session.paid", "session": {"id": "ses_guessed"}}', ""),
        (b'{"id": "evt_1", "type": "session.paid", "session": {"id": "ses_guessed"}}', None),
        (b"x" * 70_000, None),
        (b'"id":"a"' * 5_000, ""),
    ],
    ids=["garbage", "unsigned", "looks signed", "too large", "many ids"],
)
def test_what_a_stranger_posts_alarms_nobody_and_stores_nothing(body: bytes, signature: str | None) -> None:
    for _again in range(TOLD_FROM + 1):
        assert hear(body, secret="guessed", signature=signature) in (400, 413)

    assert named() == []
    assert not RefusedWebhooks.objects.exists()


def test_refusals_that_end_leave_no_fault_for_good_and_the_next_ones_begin_a_new_one() -> None:
    for _again in range(TOLD_FROM):
        hear(secret="another")
    clock.advance(seconds=OVER_AFTER.total_seconds() + 1)
    assert named() == []

    for _again in range(TOLD_FROM):
        hear(secret="another")

    [fault] = named()
    assert fault.since == clock.now() and f"accepted: {TOLD_FROM}," in fault.text


def test_a_flood_is_one_row_of_a_known_provider_and_writes_seldom(django_assert_num_queries: Any) -> None:
    assert [hear(signature="", to=name) for name in ("sandbox", "made-up", "another")] == [400, 404, 404]
    [row] = RefusedWebhooks.objects.all()
    RefusedWebhooks.objects.update(count=COUNTED_MAX)

    with django_assert_num_queries(1):  # it is read, and nothing is written
        webhook_refusals.note_refused(provider="sandbox", reason="no signature", now=clock.now(), is_signed=True)
    clock.advance(seconds=WRITE_AGAIN_AFTER.total_seconds())
    hear(signature="")

    [again] = RefusedWebhooks.objects.all()
    assert (again.count, again.last_at - row.last_at) == (COUNTED_MAX, WRITE_AGAIN_AFTER)
    assert f"accepted: {COUNTED_MAX} or more" in named()[0].text


def test_nothing_that_a_sender_wrote_is_stored() -> None:
    hear(b'{"id": "<script>", "type": "session.paid", "session": {"id": "<script>"}}')

    assert "<script>" not in RefusedWebhooks.objects.get().reason
