"""Visitors' addresses behind our proxy: each request gets the address that the proxy saw."""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from mcommerce.rate_limits.visitor_identity import network_of

Answer = Callable[[HttpRequest], HttpResponse]


def visitors_have_their_addresses(get_response: Answer) -> Answer:
    """Return middleware that sets REMOTE_ADDR to the visitor's address: rate limits count visitors, not the proxy.

    With TRUST_PROXY, REMOTE_ADDR becomes the last entry of X-Forwarded-For: only that one was added by our proxy. The
    client can forge earlier ones.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.TRUST_PROXY and (seen := request.META.get("HTTP_X_FORWARDED_FOR")):
            request.META["REMOTE_ADDR"] = _last(seen)
        return get_response(request)

    return middleware


class ClientNetworkMiddleware:
    """ASGI middleware that sets the client of a socket to the visitor's network, also behind our proxy.

    Sockets are counted by network, since a household has many IPv6 addresses.
    """

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        address, port = scope.get("client") or ("", 0)
        seen = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if settings.TRUST_PROXY and seen:
            address = _last(seen[-1].decode("latin1"))
        await self.application({**scope, "client": [network_of(address), port]}, receive, send)


def _last(addresses: str) -> str:
    return addresses.rpartition(",")[2].strip()
