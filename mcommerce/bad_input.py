"""What no part of the site can use is refused before any part sees it."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

Answer = Callable[[HttpRequest], HttpResponse]

NUL = "\0"
CHARSET = "utf-8"  # what our pages send; Django would decode by any codec of Python's that a visitor names


class BadInputMiddleware:
    """Answers 400 to what no database holds: a NUL in an address, its query or a cookie, and the admin's huge numbers.

    And to a form that is not in UTF-8, whose codec may raise what it likes, or make lone surrogates. Fields of forms
    refuse a NUL by themselves. It stands behind LocaleMiddleware, so that the page has a language.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.META.get("QUERY_STRING", "")
        if NUL in request.path_info or "%00" in asked or any(NUL in value for value in request.COOKIES.values()):
            raise BadRequest("NUL in an address or a cookie")
        if request.content_params.get("charset", CHARSET).lower() != CHARSET:
            raise BadRequest("a form that is not in UTF-8")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Django's admin hands numbers of its query string to the database as they are, however large."""
        if isinstance(exception, OverflowError | DataError) and request.path_info.startswith(reverse("admin:index")):
            raise BadRequest("a number that no column holds") from exception
