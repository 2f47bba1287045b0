"""A request that stands for the visitor of a socket, like those that the views of pages get."""

from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.functional import SimpleLazyObject

from mcommerce.web.bad_input import NUL
from mcommerce.web.slots.drawing import of_visitor
from mcommerce.web.socket_origins import PAGE_SCHEMES


def request_of(scope: Any) -> HttpRequest:
    """Return a request like the one for the socket's page: with cookies, session, user and CSRF token.

    Session and user are looked up at their first use, and as they are now: the visitor may have signed out meanwhile.
    """
    scheme = scope.get("scheme", "ws")
    request = ASGIRequest(
        {**scope, "type": "http", "method": "GET", "scheme": PAGE_SCHEMES.get(scheme, scheme)}, BytesIO()
    )
    session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    readable = session_key if NUL not in session_key else ""  # PostgreSQL cannot look up the others
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(readable or None)
    request.user = SimpleLazyObject(lambda: _user_of(request))  # type: ignore[assignment]  # as Django's middleware does
    CsrfViewMiddleware(lambda _request: HttpResponse()).process_request(request)
    return request


def _user_of(request: HttpRequest) -> Any:
    """Look up the visitor: a page's middleware has done so before the fragments are drawn, so it is none of theirs."""
    with of_visitor():
        return get_user(request)
