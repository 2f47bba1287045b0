"""Who a visitor is when all come through one proxy."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from mcommerce.proxy import visitors_have_their_addresses

PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "trusted", "address"),
    [
        ("203.0.113.9", True, "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", True, "203.0.113.9"),  # the first was made up by the visitor
        ("203.0.113.9", False, PROXY),
        (None, True, PROXY),
    ],
)
def test_a_visitor_has_the_address_that_our_proxy_saw(
    forwarded: str | None, trusted: bool, address: str, settings: Settings
) -> None:
    settings.TRUST_PROXY = trusted
    said = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}

    assert seen(RequestFactory().get("/", REMOTE_ADDR=PROXY, **said)) == address


def seen(request: HttpRequest) -> str:
    middleware = visitors_have_their_addresses(lambda request: HttpResponse(request.META["REMOTE_ADDR"]))
    return middleware(request).content.decode()


def test_it_comes_before_whatever_looks_at_an_address(settings: Settings) -> None:
    name = f"{visitors_have_their_addresses.__module__}.{visitors_have_their_addresses.__name__}"

    assert settings.MIDDLEWARE.index(name) < settings.MIDDLEWARE.index(
        "django.contrib.sessions.middleware.SessionMiddleware"
    )
