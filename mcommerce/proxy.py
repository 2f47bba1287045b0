"""Behind a proxy of ours, a request comes from whom that proxy saw."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Answer = Callable[[HttpRequest], HttpResponse]


def visitors_have_their_addresses(get_response: Answer) -> Answer:
    """Middleware: what is limited by address counts visitors, not the one proxy through which all of them come.

    Only the last address is the proxy's word; those before it are the visitor's, who may write what they like.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.TRUST_PROXY and (seen := request.META.get("HTTP_X_FORWARDED_FOR")):
            request.META["REMOTE_ADDR"] = seen.rpartition(",")[2].strip()
        return get_response(request)

    return middleware
