"""http and websocket, joined. Importing it starts nothing: `asgi.py` does."""

from asgiref.wsgi import WsgiToAsgi
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler
from django.urls import re_path

from mcommerce import background, hashed_files
from mcommerce.orders.routing import websocket_urlpatterns as orders_sockets
from mcommerce.origins import SameOrigin
from stations.routing import sockets_for_all, sockets_for_staff


class HashedStaticFiles:
    """Django's pages, with WhiteNoise before them for what lies under STATIC_URL.

    WhiteNoise stays a WSGI program: as Django middleware under ASGI it hands a synchronous iterator to an async answer.
    """

    def __init__(self, pages: ASGIHandler) -> None:
        self.pages = pages
        self.files = WsgiToAsgi(hashed_files.before(_not_found))

    async def __call__(self, scope, receive, send):
        answer = self.files if scope["path"].startswith(settings.STATIC_URL) else self.pages
        await answer(scope, receive, send)


def _not_found(environ, start_response):
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"Not found"]


def build_application() -> ProtocolTypeRouter:
    """The whole site as one ASGI application."""
    pages = get_asgi_application()
    known = AuthMiddlewareStack(URLRouter([*orders_sockets, *sockets_for_staff]))
    return ProtocolTypeRouter(
        {
            "http": ASGIStaticFilesHandler(pages) if settings.LOCAL else HashedStaticFiles(pages),
            "lifespan": background.lifespan,
            "websocket": SameOrigin(URLRouter([*sockets_for_all, re_path("", known)])),
        }
    )
