"""A shop calls the payment provider."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.mcommerce.payment.conftest import Company, open_session


def test_the_wrong_key_opens_nothing(company: Company) -> None:
    answer = requests.get(f"{company.url}/v1/charges", headers={"Authorization": "Bearer wrong"})

    assert answer.status_code == 401


def test_the_same_key_and_request_open_one_session(company: Company, session: dict[str, Any]) -> None:
    expires_at = session["expires_at"]

    assert open_session(company, expires_at=expires_at) == session


def test_a_key_is_not_for_two_requests(company: Company, session: dict[str, Any]) -> None:
    answer = company.call("POST", f"/v1/sessions/{session['id']}/expire", {}, key="first")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "key_reused")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -5},
        {"amount": True},
        {"amount": 19.0},
        {"amount": 10**12},
        {"currency": "euro"},
        {"return_url": "javascript:alert(1)"},
        {"webhook_url": "file:///etc/passwd"},
        {"expires_at": 1},
        {"language": "xx"},
        {"reference": ""},
    ],
)
def test_a_session_with_a_wrong_field_is_refused(company: Company, wrong: dict[str, Any]) -> None:
    good = {
        "reference": "o",
        "amount": 100,
        "currency": "EUR",
        "return_url": "http://shop/r",
        "webhook_url": "http://shop/w",
        "expires_at": 4e9,
        "language": "en",
    }

    answer = company.call("POST", "/v1/sessions", good | wrong, key="k")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "field_invalid")
    assert next(iter(wrong)) in answer.json()["error"]["message"]


def test_many_submits_at_once_charge_one_card_once(company: Company, session: dict[str, Any]) -> None:
    with ThreadPoolExecutor(8) as shoppers:
        answers = list(shoppers.map(lambda _: company.pay(session["url"], "4242424242424242"), range(16)))

    assert {answer.headers["Location"] for answer in answers} == {"http://127.0.0.1:9/return"}
    assert [charge["session"] for charge in company.charges()] == [session["id"]]


def test_an_expired_session_charges_nothing(company: Company, session: dict[str, Any]) -> None:
    expired = company.call("POST", f"/v1/sessions/{session['id']}/expire", {}, key="end").json()

    company.pay(session["url"], "4242424242424242")

    assert expired["status"] == "expired"
    assert company.charges() == []


def test_a_session_ends_at_its_time(company: Company, session: dict[str, Any], bus_clock: Any) -> None:
    bus_clock.advance(minutes=11)

    company.pay(session["url"], "4242424242424242")

    assert company.call("GET", f"/v1/sessions/{session['id']}").json()["status"] == "expired"
    assert company.charges() == []


def test_expiring_a_paid_session_leaves_it_paid(company: Company, session: dict[str, Any]) -> None:
    company.pay(session["url"], "4242424242424242")

    told = company.call("POST", f"/v1/sessions/{session['id']}/expire", {}, key="end").json()

    assert (told["status"], told["charge"]) == ("succeeded", company.charges()[0]["id"])


def test_refunds_never_exceed_the_charge(company: Company, session: dict[str, Any]) -> None:
    company.pay(session["url"], "4242424242424242")
    charge = company.charges()[0]["id"]

    first = company.call("POST", "/v1/refunds", {"charge": charge, "amount": 1000}, key="r1")
    again = company.call("POST", "/v1/refunds", {"charge": charge, "amount": 1000}, key="r1")
    too_much = company.call("POST", "/v1/refunds", {"charge": charge, "amount": 1000}, key="r2")

    assert first.json() == again.json()
    assert too_much.json()["error"]["code"] == "refund_too_large"
    assert company.charges()[0]["refunded"] == 1000


def test_the_list_of_charges_comes_in_pages(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcommerce.payment.sandbox.api.PAGE_SIZE", 2)
    for number in range(3):
        company.pay(open_session(company, key=f"k{number}", reference=f"o{number}")["url"], "4242424242424242")

    first = company.call("GET", "/v1/charges").json()
    rest = company.call("GET", f"/v1/charges?after={first['charges'][-1]['id']}").json()

    assert [charge["reference"] for charge in first["charges"] + rest["charges"]] == ["o0", "o1", "o2"]
    assert (first["more"], rest["more"]) == (True, False)


def test_a_body_too_large_is_refused(company: Company) -> None:
    assert company.call("POST", "/v1/sessions", {"x": "y" * 20_000}, key="k").status_code == 413


def test_what_is_charged_survives_a_restart(company: Company, session: dict[str, Any]) -> None:
    company.pay(session["url"], "4242424242424242")
    company.close()

    company.open()

    assert [charge["session"] for charge in company.charges()] == [session["id"]]
