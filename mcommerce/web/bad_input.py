"""Middleware that refuses input which no part of the site can use."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

Answer = Callable[[HttpRequest], HttpResponse]

NUL = "\0"
CHARSET = "utf-8"  # what our pages send; Django would decode with any Python codec that a visitor names


class BadInputMiddleware:
    """Answer 400 to a NUL in an address, its query or a cookie, and to numbers too large for the admin's columns.

    A form that is not in UTF-8 gets 400 too: its codec may raise any error, or produce lone surrogates. Form fields
    reject a NUL by themselves. This middleware comes after LocaleMiddleware, so that the error page has a language.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.META.get("QUERY_STRING", "")
        if NUL in request.path_info or "%00" in asked or any(NUL in value for value in request.COOKIES.values()):
            raise BadRequest("NUL in an address or a cookie")
        if (request.content_params or {}).get("charset", CHARSET).lower() != CHARSET:
            raise BadRequest("a form that is not in UTF-8")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Refuse huge numbers in the admin's query string, which Django passes to the database unchecked."""
        if isinstance(exception, OverflowError | DataError) and request.path_info.startswith(reverse("admin:index")):
            raise BadRequest("a number that no column holds") from exception
