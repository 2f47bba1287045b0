"""Who a visitor is when all come through one proxy."""

import asyncio
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from mcommerce.web.proxy import ClientNetworkMiddleware, visitors_have_their_addresses

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


@pytest.mark.parametrize(
    ("client", "forwarded", "trusted", "network"),
    [
        ("198.51.100.7", None, False, "198.51.100.7"),
        ("2001:db8::7", None, False, "2001:db8::/64"),
        (PROXY, "6.6.6.6, 2001:db8::7", True, "2001:db8::/64"),
        (PROXY, "203.0.113.9", False, PROXY),
        (None, None, False, "unknown"),
    ],
)
def test_a_socket_is_counted_by_the_network_that_our_proxy_saw(
    client: str | None, forwarded: str | None, trusted: bool, network: str, settings: Settings
) -> None:
    settings.TRUST_PROXY = trusted
    seen: list[str] = []

    async def socket(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    scope = {"headers": headers, "client": client and [client, 1]}
    asyncio.run(ClientNetworkMiddleware(socket)(scope, None, None))

    assert seen == [network]
