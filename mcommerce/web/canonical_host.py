"""One host name for a local site: browsers take 127.0.0.1 and localhost for two sites."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

NAMES = {"127.0.0.1", "localhost", "::1"}
Answer = Callable[[HttpRequest], HttpResponse]


def one_name_on_this_machine(get_response: Answer) -> Answer:
    """Return middleware that redirects to the host name in `SITE_URL` from this machine's other names, as localhost.

    The payment provider sends shoppers back to `SITE_URL`. The browser sends the cookie with their order only to that
    name.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.LOCAL and request.method in ("GET", "HEAD") and _is_another_name(request.get_host()):
            return HttpResponseRedirect(settings.SITE_URL + request.get_full_path())
        return get_response(request)

    return middleware


def _is_another_name(host: str) -> bool:
    asked, ours = urlsplit(f"//{host}"), urlsplit(settings.SITE_URL)
    both_here = {asked.hostname, ours.hostname} <= NAMES
    try:
        return both_here and asked.hostname != ours.hostname and asked.port == ours.port
    except ValueError:  # an impossible port
        return False
