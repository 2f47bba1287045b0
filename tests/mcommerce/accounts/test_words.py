"""The library's texts speak as our own do: it says "Email", our pages "E-mail address"."""

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation

PAGES = ["/accounts/sign-in/", "/accounts/register/", "/accounts/password/forgotten/", "/accounts/email/"]


@pytest.mark.parametrize("path", PAGES)
def test_an_address_has_one_name_on_every_page(path: str, browser: Client, client: Client) -> None:
    page = (browser if path == "/accounts/email/" else client).get(path, headers={"accept-language": "en"}).text

    labels = page.partition("<main")[2]
    assert "E-mail address" in labels
    assert "Email" not in labels


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("totp_activated", "Votre second facteur est en place."),
        ("totp_deactivated", "Votre second facteur est enlevé."),
        ("recovery_codes_generated", "Voici vos nouveaux codes de secours."),
    ],
)
def test_a_second_factor_is_called_in_french_as_on_its_pages(message: str, said: str) -> None:
    with translation.override("fr"):
        assert render_to_string(f"mfa/messages/{message}.txt").strip() == said
