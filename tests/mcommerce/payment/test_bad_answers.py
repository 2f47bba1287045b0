"""The payment provider says what is no answer, or nothing: a page that says so, no dead letter, and the money right."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from eventbus import Event, clock, publish
from eventbus.models import DeadLetter, ParkedKey
from eventbus.testing import published_events, sample
from mcommerce.events import OrderCancelled, PaymentRefunded
from mcommerce.payment.models import Attempt, Payment, Refund
from mcommerce.payment.providers.base import ProviderUnreadable
from mcommerce.payment.providers.sandbox import VISITOR_SECONDS, Sandbox
from mcommerce.payment.sandbox import sign
from mcommerce.payment.views import WEBHOOK_BYTES_MAX
from outside.circuit_breaker import FAILURES_MAX, states
from tests.mcommerce.payment.conftest import GOOD, WEBHOOK_SECRET, Company, Shopper, settle
from tests.mcommerce.payment.test_refunds import asked
from tests.outside.raw_server import Said, drip, flood, hang_up, mumbling, saying, silence

SESSION: dict[str, Any] = {
    "id": "ses_1",
    "status": "open",
    "revision": 1,
    "amount": 1900,
    "currency": "EUR",
    "charge": None,
    "last4": "",
    "decline_code": "",
    "url": "https://company.example/pay/ses_1",
}


def session(**changes: Any) -> bytes:
    return json.dumps(SESSION | changes).encode()


UNREADABLE: dict[str, bytes] = {
    "an empty object": b"{}",
    "a list": b"[]",
    "null": b"null",
    "nothing": b"",
    "a page": b"<html>Down for maintenance</html>",
    "half": session()[:40],
    "a pit": b"[" * 100_000,
    "no text": b"\xff\xfe\x00",
    "an unknown status": session(status="weird"),
    "a number for an id": session(id=7),
    "an id that leads elsewhere": session(id="../refunds"),
    "an id that no column holds": session(id="s" * 101),
    "a text for an amount": session(amount="1900"),
    "a fraction": session(amount=19.5),
    "less than nothing": session(amount=-1),
    "more than a column holds": session(amount=2**31),
    "yes for a number": session(revision=True),
    "a whole card": session(last4=GOOD),
    "a currency that is none": session(currency="euro"),
    "a story for a code": session(decline_code="x" * 51),
    "half a character": session(decline_code="\ud800"),
    "no character": session(decline_code="\0"),
    "paid, and no charge": session(status="succeeded"),
    "a page that is a script": session(url="javascript:alert(1)"),
    "no page": session(url=""),
}
BAD: dict[str, Said] = {
    **{name: saying(body) for name, body in UNREADABLE.items()},
    "a flood": flood,
    "a bomb": saying(gzip.compress(bytes(300 * 2**20)), headers="Content-Encoding: gzip\r\n"),
    "elsewhere": saying(b"{}", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"),
    "their error": saying(b"{}", status="500 Oops"),
    "no, and no word why": saying(b"{}", status="400 Bad Request"),
    "not now": saying(b"", status="429 Too Many Requests"),
    "away": saying(b"", status="503 Service Unavailable"),
    "hung up": hang_up,
}
# A refund's answer has nothing but an id.
OF_A_SESSION = {name for name, body in UNREADABLE.items() if body.startswith(b'{"id"')}
BAD_FOR_A_REFUND = {name: said for name, said in BAD.items() if name not in OF_A_SESSION} | {
    "a number for an id": saying(b'{"id": 7}'),
    "an id that no column holds": saying(b'{"id": "%b"}' % (b"r" * 101)),
}
BAD_WEBHOOKS = {  # which names no page
    name: b'{"id": "evt_1", "type": "session.succeeded", "session": %b}' % body if name in OF_A_SESSION else body
    for name, body in UNREADABLE.items()
    if name not in ("no page", "half")
}


Says = Callable[[Said], Any]


@pytest.fixture
def company_says(settings: Any) -> Says:
    """While it lasts, whoever asks the company hears this."""

    @contextmanager
    def says(said: Said) -> Iterator[Any]:
        with mumbling(said) as mumbler:
            address, settings.SANDBOX_PROVIDER_URL = settings.SANDBOX_PROVIDER_URL, mumbler.url
            yield mumbler
            settings.SANDBOX_PROVIDER_URL = address

    return says


@pytest.mark.parametrize("said", BAD.values(), ids=BAD)
def test_no_answer_to_pay_or_on_the_way_back_is_said_and_the_next_one_settles_it(
    said: Said, company_says: Says, shopper: Shopper, bus_clock: Any
) -> None:
    with company_says(said):
        refused = shopper.press()
    shopper.pay()
    with company_says(said):
        back = shopper.come_back()
        status = shopper.payment.status
        bus_clock.advance(seconds=11)
        settle()
    bus_clock.advance(minutes=1)
    settle()

    assert refused.status_code == 503
    assert "You were not charged" in refused.content.decode()
    assert ("The payment provider is busy" in refused.text) == (said is BAD["not now"])
    assert (back.status_code, status) == (302, "unknown")
    assert shopper.payment.status == "succeeded"
    assert (Attempt.objects.count(), len(shopper.company.charges())) == (1, 1)
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("said", BAD_FOR_A_REFUND.values(), ids=BAD_FOR_A_REFUND)
def test_no_answer_to_a_refund_is_asked_for_again_and_the_money_goes_back_once(
    said: Said, company_says: Says, company: Company, paid: Payment, bus_clock: Any
) -> None:
    with company_says(said):
        publish_now(asked(paid))
        settle(raise_errors=False)
    bus_clock.advance(minutes=10)
    settle()

    assert [charge["refunded"] for charge in company.charges()] == [1900]
    assert Refund.objects.get().status == "succeeded"
    assert len(published_events(PaymentRefunded)) == 1
    assert not DeadLetter.objects.exists()


def publish_now(event: Event) -> None:
    with transaction.atomic():
        publish(event)


@pytest.mark.parametrize("body", BAD_WEBHOOKS.values(), ids=BAD_WEBHOOKS)
def test_a_signed_webhook_that_cannot_be_read_is_refused(
    body: bytes, company: Company, client: Client, db: None
) -> None:
    signature = sign(body, secret=WEBHOOK_SECRET, at=int(clock.now().timestamp()))

    answer = client.post(
        "/payment/webhook/sandbox/", body, content_type="application/json", headers={"Sandbox-Signature": signature}
    )

    assert answer.status_code == (413 if len(body) > WEBHOOK_BYTES_MAX else 400)


def test_a_session_that_another_order_has_is_not_taken_for_a_new_one(company_says: Says, shopper: Shopper) -> None:
    page = shopper.page()
    Attempt.objects.update(outcome="expired")
    Payment.objects.update(status="new")

    with company_says(saying(session(id=page.rpartition("/")[2]))):
        assert shopper.press().status_code == 503


def test_an_answer_about_another_session_is_none(company: Company, company_says: Says) -> None:
    with company_says(saying(session(id="ses_2"))), pytest.raises(ProviderUnreadable):
        Sandbox.from_settings().fetch_session("ses_1")


@pytest.mark.parametrize("said", [silence, drip], ids=["silence", "a drip"])
def test_a_company_that_hangs_is_soon_not_asked_any_more(
    said: Said, company_says: Says, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcommerce.payment.providers.sandbox.VISITOR_SECONDS", 0.1)
    assert VISITOR_SECONDS < 2

    with company_says(said) as mumbler:
        answers = [shopper.press() for _ in range(FAILURES_MAX + 3)]

        assert {answer.status_code for answer in answers} == {503}
        assert all("does not answer" in answer.content.decode() for answer in answers)
        assert mumbler.callers == FAILURES_MAX
        assert "open" in states().values()


def test_a_refund_waits_uncounted_while_the_company_is_left_alone(
    company_says: Says, paid: Payment, bus_clock: Any
) -> None:
    with company_says(BAD["away"]):
        publish_now(asked(paid))
        settle(raise_errors=False)
        for _ in range(20):
            bus_clock.advance(seconds=31)
            settle(raise_errors=False)
        attempts = ParkedKey.objects.get().attempts
    bus_clock.advance(minutes=1)
    settle()

    assert attempts == 0
    assert Refund.objects.get().status == "succeeded"


def test_a_session_is_closed_though_the_company_was_left_alone(
    company_says: Says, shopper: Shopper, bus_clock: Any
) -> None:
    shopper.page()
    with company_says(BAD["an empty object"]):
        settle(sample(OrderCancelled, order_id=shopper.order_id, reason="customer"))
        for _ in range(FAILURES_MAX + 3):
            bus_clock.advance(minutes=11)
            settle()
    bus_clock.advance(minutes=11)
    settle()

    assert Attempt.objects.get().outcome == "expired"
    assert not DeadLetter.objects.exists()
