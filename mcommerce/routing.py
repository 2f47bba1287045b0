"""The ASGI routing of http and websocket. Importing it starts nothing: `asgi.py` does."""

from collections.abc import Awaitable, Callable
from typing import Any

from channels.auth import AuthMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler
from django.urls import re_path

from mcommerce.features.installed import sockets
from mcommerce.monitoring.open_sockets import CountedSockets
from mcommerce.serving import background_threads
from mcommerce.web import bad_input, static_files
from mcommerce.web.proxy import ClientNetworkMiddleware
from mcommerce.web.socket_origins import SameOrigin


class HashedStaticFiles:
    """An ASGI application: the collected files for addresses under STATIC_URL, and Django's pages for all others."""

    def __init__(self, pages: ASGIHandler) -> None:
        self.pages = pages
        self.files = static_files.StaticFiles()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer = self.files if scope["path"].startswith(settings.STATIC_URL) else self.pages
        await answer(scope, receive, send)


async def no_socket(scope: Any, receive: Any, send: Any) -> None:
    """Answer 404 to a socket request where there is no socket; 403 from a server that cannot send 404."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})


class ReadableCookies:
    """ASGI middleware that refuses a socket with a NUL in a cookie: PostgreSQL cannot look up such a session."""

    def __init__(self, sockets: Callable[..., Awaitable[object]]) -> None:
        self.sockets = sockets

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        readable = not any(bad_input.NUL in value for value in scope["cookies"].values())
        await (self.sockets if readable else no_socket)(scope, receive, send)


def build_application() -> ProtocolTypeRouter:
    """Return the whole site as one ASGI application."""
    pages = get_asgi_application()
    for_all = sockets("sockets_for_all")
    with_user = sockets("sockets_with_user")
    known = URLRouter([*with_user, re_path("", no_socket)])  # type: ignore[arg-type]  # not a view
    with_visitors = CookieMiddleware(ReadableCookies(SessionMiddleware(AuthMiddleware(known))))
    all_sockets = ClientNetworkMiddleware(URLRouter([*for_all, re_path("", with_visitors)]))
    return ProtocolTypeRouter(
        {
            "http": ASGIStaticFilesHandler(pages) if settings.LOCAL else HashedStaticFiles(pages),
            "lifespan": background_threads.lifespan,
            "websocket": CountedSockets(SameOrigin(all_sockets), [*for_all, *with_user]),
        }
    )
