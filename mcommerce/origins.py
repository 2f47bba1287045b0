"""A socket is for pages of this site: browsers send cookies along to sockets whatever page opens them."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

Application = Callable[..., Awaitable[None]]
Origin = tuple[str, str, int]  # scheme, host, port

PORTS = {"http": 80, "https": 443}  # where an origin names none
PAGE_SCHEMES = {"ws": "http", "wss": "https"}  # of the page beside the socket


class SameOrigin:
    """ASGI: refuse a socket that a page of another scheme, host or port opens, or that comes from no page."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        application = self.application if is_ours(scope) else WebsocketDenier()
        await application(scope, receive, send)


def is_ours(scope: Any) -> bool:
    """Whether the page is of the address that was asked, or of SITE_URL, where the public reaches this site."""
    page = _origin(_header(scope, b"origin"))
    return page is not None and page in (_origin(settings.SITE_URL), _asked(scope))


def _asked(scope: Any) -> Origin | None:
    """Where the browser believes to be; None where that is no host of ours."""
    host = _header(scope, b"host")
    domain, _port = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return None
    return _origin(f"{_scheme(scope)}://{host}")


def _scheme(scope: Any) -> str:
    """Behind a proxy of ours it is what that proxy says: only the last word is its own."""
    said = _header(scope, b"x-forwarded-proto").rpartition(",")[2].strip() if settings.TRUST_PROXY else ""
    scheme = said or scope.get("scheme", "ws")
    return PAGE_SCHEMES.get(scheme, scheme)


def _origin(url: str) -> Origin | None:
    try:
        found = urlsplit(url.lower())
        if found.scheme not in PORTS or not found.hostname:
            return None
        return found.scheme, found.hostname, found.port or PORTS[found.scheme]
    except ValueError:  # a port that is none, or brackets without an address
        return None


def _header(scope: Any, name: bytes) -> str:
    """Empty where there is none, or more than one: then nobody knows which one was meant."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin1") if len(values) == 1 else ""
