"""A check of a socket's origin: browsers send cookies along to sockets, whatever page opens them."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

Application = Callable[..., Awaitable[None]]
Origin = tuple[str, str, int]  # scheme, host, port

PORTS = {"http": 80, "https": 443}  # for an origin that names none
PAGE_SCHEMES = {"ws": "http", "wss": "https"}  # of the page beside the socket


class SameOrigin:
    """ASGI middleware that refuses a socket from a page of another scheme, host or port, or from no page."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        application = self.application if is_ours(scope) else WebsocketDenier()
        await application(scope, receive, send)


def is_ours(scope: Any) -> bool:
    """Return whether the page is of the requested address, or of SITE_URL, the site's public address."""
    page = _origin(_header(scope, b"origin"))
    return page is not None and page in (_origin(settings.SITE_URL), _asked(scope))


def _asked(scope: Any) -> Origin | None:
    """Return the origin that the browser requested; None if that is not one of our hosts."""
    host = _header(scope, b"host")
    domain, _port = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return None
    return _origin(f"{_scheme(scope)}://{host}")


def _scheme(scope: Any) -> str:
    """Return the scheme. Behind our proxy it is the last one in the header: only that is the proxy's own."""
    said = _header(scope, b"x-forwarded-proto").rpartition(",")[2].strip() if settings.TRUST_PROXY else ""
    scheme = said or scope.get("scheme", "ws")
    return PAGE_SCHEMES.get(scheme, scheme)


def _origin(url: str) -> Origin | None:
    try:
        found = urlsplit(url.lower())
        if found.scheme not in PORTS or not found.hostname:
            return None
        return found.scheme, found.hostname, found.port or PORTS[found.scheme]
    except ValueError:  # an impossible port, or brackets without an address
        return None


def _header(scope: Any, name: bytes) -> str:
    """Return the header's value; empty where there is none, or more than one, which is ambiguous."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin1") if len(values) == 1 else ""
