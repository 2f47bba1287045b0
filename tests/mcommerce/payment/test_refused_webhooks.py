"""Webhooks are refused: an operator reads it, since when and why, until one is accepted. Strangers fill no table."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from eventbus import clock
from eventbus.operations import status
from mcommerce.overview.faults import Fault, faults
from mcommerce.payment.models import RefusedWebhooks
from mcommerce.payment.sandbox import sign
from mcommerce.payment.sandbox.webhooks import BACKOFF_SECONDS
from mcommerce.payment.services import webhook_refusals
from mcommerce.payment.services.webhook_refusals import COUNTED_MAX, OVER_AFTER, WRITE_AGAIN_AFTER
from tests.mcommerce.payment.conftest import WEBHOOK_SECRET

BODY = json.dumps({"id": "evt_1", "type": "payout.paid", "session": {}}).encode()
UNREADABLE, TOO_LARGE = b"{", b"x" * 70_000

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def shop(settings: Any, bus_clock: Any) -> None:
    settings.SANDBOX_WEBHOOK_SECRET, settings.SANDBOX_WEBHOOK_SECRET_FALLBACKS = WEBHOOK_SECRET, []


def hear(body: bytes = BODY, *, secret: str = WEBHOOK_SECRET, ago: int = 0, provider: str = "sandbox") -> int:
    """Post a webhook that was signed `ago` seconds ago; the status of the answer."""
    signature = sign(body, secret=secret, at=int(clock.now().timestamp()) - ago)
    return post(body, signature, provider=provider)


def post(body: bytes, signature: str, *, provider: str = "sandbox") -> int:
    headers = {"Sandbox-Signature": signature}
    url = reverse("payment:webhook", args=[provider])
    return int(Client().post(url, body, content_type="application/json", headers=headers).status_code)


def named() -> list[Fault]:
    """The faults of webhooks that the overview names."""
    return [one for one in faults(status.status()) if one.id.startswith("webhook:")]


@pytest.mark.parametrize(
    ("body", "how", "reason"),
    [
        (BODY, {"secret": "another"}, "wrong signature"),
        (BODY, {"ago": 301}, "signed too long ago"),
        (UNREADABLE, {}, "it is not JSON"),
        (TOO_LARGE, {}, "too large"),
    ],
    ids=["wrong secret", "too old", "malformed", "too large"],
)
def test_a_refusal_is_named_until_a_webhook_is_accepted(body: bytes, how: dict[str, Any], reason: str) -> None:
    begun = clock.now()
    assert hear(body, **how) in (400, 413)
    clock.advance(seconds=20)
    hear(body, **how)

    [fault] = named()
    assert fault.title == "Webhooks of sandbox are refused" and fault.since == begun
    assert "accepted: 2," in fault.text and reason in fault.text and "strangers" in fault.text
    assert fault.link == reverse("admin:payment_refusedwebhooks_changelist")

    assert hear() == 200
    assert named() == []


def test_strangers_who_stop_leave_no_fault_for_good_and_who_come_again_begin_a_new_one() -> None:
    post(b"anything", "")
    clock.advance(seconds=OVER_AFTER.total_seconds() + 1)
    assert named() == []

    post(b"anything", "")

    [fault] = named()
    assert fault.since == clock.now() and "accepted: 1," in fault.text


def test_a_flood_is_one_row_of_a_known_provider_and_writes_seldom(django_assert_num_queries: Any) -> None:
    assert [post(b"anything", "", provider=name) for name in ("sandbox", "made-up", "another")] == [400, 404, 404]
    [row] = RefusedWebhooks.objects.all()
    RefusedWebhooks.objects.update(count=COUNTED_MAX)

    with django_assert_num_queries(1):  # it is read, and nothing is written
        webhook_refusals.note_refused(provider="sandbox", reason="no signature", now=clock.now())
    clock.advance(seconds=WRITE_AGAIN_AFTER.total_seconds())
    post(b"anything", "")

    [again] = RefusedWebhooks.objects.all()
    assert (again.count, again.last_at - row.last_at) == (COUNTED_MAX, WRITE_AGAIN_AFTER)
    assert f"accepted: {COUNTED_MAX} or more" in named()[0].text


def test_nothing_that_a_sender_wrote_is_stored() -> None:
    hear(b'{"id": "<script>", "type": "session.paid", "session": {"id": "<script>"}}')

    assert "<script>" not in RefusedWebhooks.objects.get().reason


def test_it_is_told_in_french() -> None:
    post(BODY, "")
    with override("fr"):
        assert [one.title for one in named()] == ["Les webhooks de sandbox sont refusés"]


def test_the_window_is_longer_than_the_providers_longest_pause() -> None:
    assert timedelta(seconds=max(BACKOFF_SECONDS)) < OVER_AFTER
