"""Only pages of this site open its sockets: the scheme and the port count as the host does."""

import asyncio
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from mcommerce.routing import build_application
from mcommerce.web.socket_origins import SameOrigin

SHOP = "https://shop.example"


async def welcome(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


def opens(origin: str | None, host: str, *, application: Any = None, path: str = "/ws/", **scope: Any) -> bool:
    """Whether a page of that origin gets a socket at that host."""
    headers = [(b"host", host.encode()), *scope.pop("headers", [])]
    if origin is not None:
        headers.append((b"origin", origin.encode()))

    async def ask() -> bool:
        socket = WebsocketCommunicator(application or SameOrigin(welcome), path, headers=headers)
        socket.scope.update(scope)
        connected, _code = await socket.connect(timeout=60)
        return connected

    return asyncio.run(ask())


@pytest.fixture(autouse=True)
def public(settings: Any) -> None:
    settings.SITE_URL, settings.TRUST_PROXY = SHOP, False
    settings.ALLOWED_HOSTS = ["shop.example", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://127.0.0.1", "127.0.0.1:80"),
        ("HTTP://SHOP.example", "shop.EXAMPLE"),
        (SHOP, "10.0.0.7:8000"),  # SITE_URL, behind a proxy that says nothing
    ],
)
def test_a_page_of_this_site_opens_a_socket(origin: str, host: str) -> None:
    assert opens(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8001", "127.0.0.1:8000"),  # another program of the same machine
        ("https://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://shop.example", "10.0.0.7:8000"),  # SITE_URL's host, but anybody on the way may have written the page
        ("https://shop.example:8443", "shop.example"),
        ("http://evil.example", "shop.example"),
        ("http://evil.example", "evil.example"),  # its name was made to lead here
        ("http://shop.example.evil.example", "shop.example"),
        ("null", "shop.example"),
        ("http://shop.example:port", "shop.example"),
        ("http://[", "shop.example"),
        ("", "shop.example"),
        (None, "shop.example"),
        (None, ""),
    ],
)
def test_a_page_of_another_does_not(origin: str | None, host: str) -> None:
    assert not opens(origin, host)


def test_two_origins_are_none() -> None:
    assert not opens("http://shop.example", "shop.example", headers=[(b"origin", b"http://shop.example")])


def test_a_socket_over_tls_is_of_a_page_over_tls() -> None:
    assert opens("https://127.0.0.1:8000", "127.0.0.1:8000", scheme="wss")
    assert not opens("http://127.0.0.1:8000", "127.0.0.1:8000", scheme="wss")


def test_behind_our_proxy_the_scheme_is_what_the_proxy_saw(settings: Any) -> None:
    settings.TRUST_PROXY, settings.SITE_URL = True, "http://elsewhere.example"
    by_proxy = [(b"x-forwarded-proto", b"http, https")]

    assert opens(SHOP, "shop.example", headers=by_proxy)
    assert not opens("http://shop.example", "shop.example", headers=by_proxy)


def test_what_a_visitor_says_of_the_scheme_counts_for_nothing_without_a_proxy(settings: Any) -> None:
    settings.SITE_URL = "http://elsewhere.example"

    assert not opens(SHOP, "shop.example", headers=[(b"x-forwarded-proto", b"https")])


def test_all_sockets_of_the_site_are_behind_it(settings: Any) -> None:
    for path in ("/ws/stations/", "/ws/producer/", "/ws/orders/01900000-0000-7000-8000-000000000000/"):
        assert not opens("http://shop.example:81", "shop.example", application=build_application(), path=path)
