"""The payment provider of demos and tests: what it promises a shop, a shopper at its page, and whoever runs it."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from django.apps import apps
from django.core import serializers

from eventbus import clock
from mcommerce.payment.providers.sandbox import check_signature
from mcommerce.payment.sandbox.cards import CardInvalid, read_card
from mcommerce.payment.sandbox.texts import WORDS
from tests.free_ports import free_ports
from tests.live_site import ROOT, STOP_DEADLINE_SECONDS
from tests.mcommerce.payment.conftest import API_KEY, DECLINED, GOOD, SECOND_STEP, WEBHOOK_SECRET, Company, Shopper
from tests.mcommerce.payment.lossy_line import Catcher

RETURN_URL = "http://127.0.0.1:9/return"
NOW = 1_795_600_000.0  # November 2026
TYPED_WRONG = "4242424242424241"


def asked_for(**changes: Any) -> dict[str, Any]:
    """What a shop sends to open a session."""
    return {
        "reference": "order-1",
        "amount": 1900,
        "currency": "EUR",
        "return_url": RETURN_URL,
        "webhook_url": "http://127.0.0.1:9/webhook",
        "expires_at": clock.now().timestamp() + 600,
        "language": "en",
    } | changes


def open_session(company: Company, *, key: str = "first", **changes: Any) -> dict[str, Any]:
    opened = company.call("POST", "/v1/sessions", asked_for(**changes), key=key)
    assert opened.status_code == 200, opened.text
    told: dict[str, Any] = opened.json()
    return told


@pytest.fixture
def session(company: Company) -> dict[str, Any]:
    """A session at the company, opened without the shop."""
    return open_session(company)


def all_files(folder: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


# --- a shop calls ----------------------------------------------------------------------------------------------------


def test_the_wrong_key_opens_nothing(company: Company) -> None:
    answer = requests.get(f"{company.url}/v1/charges", headers={"Authorization": "Bearer wrong"})

    assert answer.status_code == 401


def test_the_same_key_and_request_open_one_session_and_another_request_none(
    company: Company, session: dict[str, Any]
) -> None:
    assert open_session(company, expires_at=session["expires_at"]) == session

    answer = company.call("POST", f"/v1/sessions/{session['id']}/expire", {}, key="first")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "key_reused")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("amount", 0),
        ("amount", -5),
        ("amount", True),
        ("amount", 19.0),
        ("amount", 10**12),
        ("currency", "euro"),
        ("return_url", "javascript:alert(1)"),
        ("webhook_url", "file:///etc/passwd"),
        ("expires_at", 1),
        ("language", "xx"),
        ("reference", ""),
    ],
)
def test_a_session_with_a_wrong_field_is_refused(company: Company, field: str, wrong: Any) -> None:
    answer = company.call("POST", "/v1/sessions", asked_for(**{field: wrong}), key="k")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "field_invalid")
    assert field in answer.json()["error"]["message"]


def test_many_submits_at_once_charge_one_card_once(company: Company, session: dict[str, Any]) -> None:
    with ThreadPoolExecutor(8) as shoppers:
        answers = list(shoppers.map(lambda _: company.pay(session["url"], GOOD), range(16)))

    assert {answer.headers["Location"] for answer in answers} == {RETURN_URL}
    assert [charge["session"] for charge in company.charges()] == [session["id"]]


@pytest.mark.parametrize("ended_by", ["shop", "time"])
def test_an_expired_session_charges_nothing(
    company: Company, session: dict[str, Any], bus_clock: Any, ended_by: str
) -> None:
    if ended_by == "shop":
        company.call("POST", f"/v1/sessions/{session['id']}/expire", {}, key="end")
    else:
        bus_clock.advance(minutes=11)

    company.pay(session["url"], GOOD)

    assert company.call("GET", f"/v1/sessions/{session['id']}").json()["status"] == "expired"
    assert company.charges() == []


def test_expiring_a_paid_session_leaves_it_paid(company: Company, session: dict[str, Any]) -> None:
    company.pay(session["url"], GOOD)

    told = company.call("POST", f"/v1/sessions/{session['id']}/expire", {}, key="end").json()

    assert (told["status"], told["charge"]) == ("succeeded", company.charges()[0]["id"])
    assert "This payment has been made." in requests.get(session["url"]).text
    assert requests.get(f"{company.url}/pay/ses_nobody").status_code == 404


def test_refunds_never_exceed_the_charge(company: Company, session: dict[str, Any]) -> None:
    company.pay(session["url"], GOOD)
    charge = company.charges()[0]["id"]

    first, again, too_much = (
        company.call("POST", "/v1/refunds", {"charge": charge, "amount": 1000}, key=key) for key in ("r1", "r1", "r2")
    )

    assert first.json() == again.json()
    assert too_much.json()["error"]["code"] == "refund_too_large"
    assert company.charges()[0]["refunded"] == 1000


def test_the_list_of_charges_comes_in_pages(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcommerce.payment.sandbox.api.PAGE_SIZE", 2)
    for number in range(3):
        company.pay(open_session(company, key=f"k{number}", reference=f"o{number}")["url"], GOOD)

    first = company.call("GET", "/v1/charges").json()
    rest = company.call("GET", f"/v1/charges?after={first['charges'][-1]['id']}").json()

    assert [charge["reference"] for charge in first["charges"] + rest["charges"]] == ["o0", "o1", "o2"]
    assert (first["more"], rest["more"]) == (True, False)


def test_what_is_charged_survives_a_restart(company: Company, session: dict[str, Any]) -> None:
    company.pay(session["url"], GOOD)
    company.close()

    company.open()

    assert [charge["session"] for charge in company.charges()] == [session["id"]]


# --- it tells --------------------------------------------------------------------------------------------------------


def test_what_happened_is_told_signed_and_in_full(company: Company, catcher: Catcher) -> None:
    session = open_session(company, webhook_url=f"{catcher.url}/")

    company.pay(session["url"], GOOD)

    heard = catcher.next()
    check_signature(heard.signature, heard.body, secrets=[WEBHOOK_SECRET], now=clock.now())
    told = json.loads(heard.body)
    assert told["type"] == "session.succeeded"
    assert told["session"]["charge"] == company.charges()[0]["id"]
    assert told["session"]["last4"] == "4242"


def test_a_shop_that_did_not_hear_is_told_again(company: Company, catcher: Catcher, bus_clock: Any) -> None:
    catcher.statuses = [500, 302]
    company.pay(open_session(company, webhook_url=f"{catcher.url}/")["url"], DECLINED)

    first = catcher.next()
    bus_clock.advance(seconds=1)
    second = catcher.next()
    bus_clock.advance(seconds=2)

    assert first.body == second.body == catcher.next().body


def test_a_session_whose_time_is_over_is_told(company: Company, catcher: Catcher, bus_clock: Any) -> None:
    open_session(company, webhook_url=f"{catcher.url}/")

    bus_clock.advance(minutes=11)

    assert json.loads(catcher.next().body)["type"] == "session.expired"


# --- a shopper at its page -------------------------------------------------------------------------------------------


def test_the_page_says_what_is_to_be_paid_and_runs_nothing_that_is_not_its_own(
    company: Company, session: dict[str, Any]
) -> None:
    page = requests.get(session["url"])

    assert "€19.00" in page.text
    assert "4242 4242 4242 4242" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:9;" in policy + ";"  # the way back to the shop follows the form
    assert "unsafe" not in policy


def test_a_mistyped_card_is_explained_beside_its_field(company: Company, session: dict[str, Any]) -> None:
    page = company.pay(
        f"{session['url']}?lang=fr", TYPED_WRONG, expiry='01/20"><script>alert(1)</script>', cvc="1"
    ).text

    assert '<html lang="fr">' in page
    assert WORDS["en"].keys() == WORDS["fr"].keys()
    assert "Ce n’est pas un numéro de carte" in page
    assert "Le code de sécurité a 3 ou 4 chiffres." in page
    assert page.count('aria-invalid="true"') == 3
    assert TYPED_WRONG not in page
    assert "<script>alert" not in page


# --- card numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242"])
@pytest.mark.parametrize("expiry", ["11/26", "1/27", "12 / 2030", "0130"])
def test_a_number_may_be_typed_with_gaps_and_a_card_is_good_through_its_month(number: str, expiry: str) -> None:
    assert read_card(number=number, expiry=expiry, cvc="1234", now=NOW).last4 == "4242"


@pytest.mark.parametrize(
    ("field", "typed", "fault"),
    [
        ("number", "", "number_missing"),
        ("number", TYPED_WRONG, "number_invalid"),
        ("number", "４２４２424242424242", "number_invalid"),
        ("number", "4242", "number_invalid"),
        ("number", "5555555555554444", "test_card_required"),
        ("expiry", "10/26", "expiry_past"),
        ("expiry", "13/29", "expiry_invalid"),
        ("expiry", "12/99", "expiry_invalid"),
        ("expiry", "", "expiry_invalid"),
        ("cvc", "12", "cvc_invalid"),
        ("cvc", "12a", "cvc_invalid"),
    ],
)
def test_a_mistyped_card_is_told_what_is_wrong(field: str, typed: str, fault: str) -> None:
    good = {"number": GOOD, "expiry": "12/29", "cvc": "123"}

    with pytest.raises(CardInvalid) as refused:
        read_card(**(good | {field: typed}), now=NOW)

    assert refused.value.faults == {field: fault}


def test_a_card_number_is_in_no_row_no_log_and_no_file(
    shopper: Shopper, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    page = shopper.page()
    for number in (TYPED_WRONG, SECOND_STEP, DECLINED, GOOD):
        shopper.company.pay(page, number, cvc="987")
        shopper.come_back()
    shopper.company.close()

    rows = "".join(
        serializers.serialize("json", model._base_manager.all()) for model in apps.get_models() if model._meta.managed
    )
    files = all_files(tmp_path)
    for number in (GOOD, DECLINED, SECOND_STEP, TYPED_WRONG):
        assert number not in rows
        assert number not in files
        assert number not in caplog.text
    assert API_KEY not in caplog.text
    assert rows.count('"last4": "4242"') == 1


def test_a_real_card_is_neither_charged_nor_kept(company: Company, session: dict[str, Any], tmp_path: Path) -> None:
    answer = company.pay(session["url"], "5555555555554444")

    assert "Only the test cards below can pay here" in answer.text
    company.close()
    assert "55554444" not in all_files(tmp_path)


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def company_process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`sandbox_provider` and its port. It answers where it was told to, which is not where the world finds it."""
    port, elsewhere = free_ports(2)
    settings = {"VAR_DIR": str(tmp_path), "SANDBOX_PROVIDER_KEY": API_KEY}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "sandbox_provider", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | settings | {"SANDBOX_PROVIDER_URL": f"http://127.0.0.1:{elsewhere}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process, port
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_company_that_is_told_to_end_closes_its_books_first(
    company_process: tuple[subprocess.Popen[str], int], tmp_path: Path, number: int
) -> None:
    process, port = company_process
    assert process.stdout.readline()  # type: ignore[union-attr]  # it has begun
    headers = {"Authorization": f"Bearer {API_KEY}"}
    told = requests.get(f"http://127.0.0.1:{port}/v1/charges", headers=headers, timeout=5)
    assert told.json()["charges"] == []

    process.send_signal(number)

    assert process.wait(STOP_DEADLINE_SECONDS) == 0
    # SQLite's file of what was written last goes when a ledger is closed, and stays when its process dies.
    assert [path.name for path in tmp_path.glob("sandbox-provider*")] == ["sandbox-provider.sqlite3"]
