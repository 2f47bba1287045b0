"""The mark of answers that are the same in all languages, so that shared caches keep each of them once."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

SAME_IN_ALL_LANGUAGES = "same_in_all_languages"  # the site's mcommerce/web/response_headers.py reads it

View = Callable[..., HttpResponse]


def same_in_all_languages(view: View) -> View:
    """Return the view with a mark on its answers, by which the site drops the language from their headers.

    Shared caches then keep one answer for all readers. An exception of the view has no mark: its page is translated.
    """

    @wraps(view, updated=())
    def marking(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        setattr(response, SAME_IN_ALL_LANGUAGES, True)
        return response

    return marking
