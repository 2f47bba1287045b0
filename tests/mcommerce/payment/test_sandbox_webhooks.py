"""The payment provider tells a shop what happened."""

import json
from typing import Any

from eventbus import clock
from mcommerce.payment.providers.sandbox import check_signature
from tests.mcommerce.payment.conftest import WEBHOOK_SECRET, Catcher, Company, open_session


def test_what_happened_is_told_signed_and_in_full(company: Company, catcher: Catcher) -> None:
    session = open_session(company, webhook_url=f"http://{catcher.host}/")

    company.pay(session["url"], "4242424242424242")

    heard = catcher.next()
    check_signature(heard.signature, heard.body, secrets=[WEBHOOK_SECRET], now=clock.now())
    told = json.loads(heard.body)
    assert told["type"] == "session.succeeded"
    assert told["session"]["charge"] == company.charges()[0]["id"]
    assert told["session"]["last4"] == "4242"


def test_a_shop_that_did_not_hear_is_told_again(company: Company, catcher: Catcher, bus_clock: Any) -> None:
    catcher.statuses = [500, 302]
    session = open_session(company, webhook_url=f"http://{catcher.host}/")

    company.pay(session["url"], "4000000000000002")
    first = catcher.next()
    bus_clock.advance(seconds=1)
    second = catcher.next()
    bus_clock.advance(seconds=2)
    third = catcher.next()

    assert first.body == second.body == third.body


def test_a_session_whose_time_is_over_is_told(company: Company, catcher: Catcher, bus_clock: Any) -> None:
    open_session(company, webhook_url=f"http://{catcher.host}/")

    bus_clock.advance(minutes=11)

    assert json.loads(catcher.next().body)["type"] == "session.expired"
