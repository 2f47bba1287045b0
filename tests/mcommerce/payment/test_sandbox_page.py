"""A shopper on the payment provider's page."""

from typing import Any

import pytest
import requests

from mcommerce.payment.sandbox.texts import WORDS
from tests.mcommerce.payment.conftest import Company


def test_the_page_says_what_is_to_be_paid_and_which_cards_may(
    company: Company, session: dict[str, Any], visible_text: Any
) -> None:
    page = requests.get(session["url"])

    text = visible_text(page.text)
    assert "Amount due €19.00" in text
    assert "4242 4242 4242 4242 Succeeds" in text
    assert "4000 0000 0000 0002 Is declined" in text


def test_the_page_runs_nothing_that_is_not_its_own(company: Company, session: dict[str, Any]) -> None:
    policy = requests.get(session["url"]).headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:9;" in policy + ";"  # the way back to the shop follows the form
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [("?lang=fr", {}, "fr"), ("", {"Accept-Language": "fr"}, "en"), ("?lang=xx", {}, "en")],
)
def test_the_page_speaks_the_language_that_was_chosen(
    company: Company, session: dict[str, Any], query: str, headers: dict[str, str], expected: str
) -> None:
    assert f'<html lang="{expected}">' in requests.get(session["url"] + query, headers=headers).text


def test_both_languages_say_everything() -> None:
    assert WORDS["en"].keys() == WORDS["fr"].keys()


def test_a_mistyped_card_is_explained_beside_its_field(company: Company, session: dict[str, Any]) -> None:
    page = company.pay(f"{session['url']}?lang=fr", "4242424242424241", expiry="01/20", cvc="1").text

    assert "Ce n’est pas un numéro de carte" in page
    assert "Cette carte a expiré." in page
    assert "Le code de sécurité a 3 ou 4 chiffres." in page
    assert page.count('aria-invalid="true"') == 3
    assert "4242424242424241" not in page


def test_what_is_typed_is_never_markup(company: Company, session: dict[str, Any]) -> None:
    page = company.pay(session["url"], "4242424242424242", expiry='"><script>alert(1)</script>').text

    assert "<script>alert" not in page


def test_a_declined_shopper_may_try_another_card(company: Company, session: dict[str, Any]) -> None:
    declined = company.pay(session["url"], "4000000000000002")
    page = requests.get(f"{company.url}{declined.headers['Location']}").text
    paid = company.pay(session["url"], "4242424242424242")

    assert "This card was declined" in page
    assert paid.headers["Location"] == "http://127.0.0.1:9/return"
    assert [charge["last4"] for charge in company.charges()] == ["4242"]


def test_a_card_with_a_second_step_is_charged_when_it_is_approved(company: Company, session: dict[str, Any]) -> None:
    company.pay(session["url"], "4000000000003220")
    page = requests.get(session["url"]).text
    before = company.charges()

    approved = company.confirm(session["url"], "approve")

    assert "•••• 3220" in page
    assert before == []
    assert approved.headers["Location"] == "http://127.0.0.1:9/return"
    assert [charge["last4"] for charge in company.charges()] == ["3220"]


def test_a_refused_second_step_charges_nothing(company: Company, session: dict[str, Any]) -> None:
    company.pay(session["url"], "4000000000003220")

    company.confirm(session["url"], "refuse")

    assert "The payment was not approved" in requests.get(session["url"]).text
    assert company.charges() == []


def test_a_paid_page_says_so(company: Company, session: dict[str, Any]) -> None:
    company.pay(session["url"], "4242424242424242")

    assert "This payment has been made." in requests.get(session["url"]).text


@pytest.mark.parametrize("path", ["/", "/pay/ses_nobody", "/assets/other.css"])
def test_an_address_that_names_nothing_is_not_found(company: Company, path: str) -> None:
    assert requests.get(company.url + path).status_code == 404
