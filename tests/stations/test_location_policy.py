"""Only pages of the stations may ask a browser for its location."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def policy(path: str) -> list[str]:
    return Client().get(path).headers["Permissions-Policy"].split(", ")


def test_the_map_may_ask_for_the_location_and_for_nothing_else() -> None:
    told = policy("/stations/")

    assert "geolocation=(self)" in told
    assert [part for part in told if not part.endswith("=()")] == ["geolocation=(self)"]
    assert "camera=()" in told


@pytest.mark.parametrize("path", ["/", "/accounts/sign-in/", "/stations/producer/", "/i18n/nothing/"])
def test_no_other_page_may(path: str) -> None:
    assert "geolocation=()" in policy(path)
