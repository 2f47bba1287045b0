"""Count the open sockets of this process by their route."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.urls import URLPattern

from eventbus.measuring.series import Gauge

Application = Callable[[Any, Any, Any], Awaitable[object]]

NO_ROUTE = "none"
SOCKETS = Gauge("mcommerce_sockets_open", "WebSockets that are open now, by route.", "route", limit=20)


class CountedSockets:
    """ASGI middleware that counts each socket from its handshake to its end, however it ends."""

    def __init__(self, application: Application, routes: Sequence[URLPattern]) -> None:
        self.application, self.routes = application, routes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        route = self._route(scope["path"].lstrip("/"))
        SOCKETS.add(route, count=1)
        try:
            await self.application(scope, receive, send)
        finally:
            SOCKETS.add(route, count=-1)

    def _route(self, path: str) -> str:
        for one in self.routes:
            if one.pattern.match(path):
                return str(one.pattern)
        return NO_ROUTE
