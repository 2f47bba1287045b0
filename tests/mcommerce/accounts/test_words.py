"""The library's texts speak as our own do: it says "Email", our pages "E-mail address"."""

import pytest
from django.test import Client

PAGES = ["/accounts/sign-in/", "/accounts/register/", "/accounts/password/forgotten/", "/accounts/email/"]


@pytest.mark.parametrize("path", PAGES)
def test_an_address_has_one_name_on_every_page(path: str, browser: Client, client: Client) -> None:
    page = (browser if path == "/accounts/email/" else client).get(path, headers={"accept-language": "en"}).text

    labels = page.partition("<main")[2]
    assert "E-mail address" in labels
    assert "Email" not in labels
