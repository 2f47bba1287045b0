"""Forms that are sent again: the Caddyfile has the browser repeat a form if a replica fails over it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from mcommerce.rate_limits.named_locks import take_turn
from mcommerce.rate_limits.visitor_identity import keyed_hash

PARAMETER = "again"  # of the address to which the proxy redirects: the id of the first request
# Forms that would take effect twice. The cart and the checkout recognise a second one themselves; the other forms of
# the shop set a value, so that a second one changes nothing more.
ONCE = ("/admin/", "/accounts/addresses/", "/stations/producer/")
KEPT_SECONDS = 3_600  # a browser repeats a form at once; an hour allows for a laptop that slept

View = Callable[[HttpRequest], HttpResponse]


def request_id(request: HttpRequest) -> UUID | None:
    """Return the id of a request, which stays the same when the browser sends it again; None where no proxy gives one.

    The client can forge it. So use it only for what belongs to this visitor.
    """
    try:
        return UUID(request.headers.get("X-Request-Id") or "")
    except ValueError:
        return None


def forms_are_carried_out_once(get_response: View) -> View:
    """Middleware: a form that was carried out is answered as before when the browser sends it again.

    The answer is stored in the transaction of what the form changes. So it is known if, and only if, the form was
    carried out. A form that a view shows again with its errors has changed nothing, and is carried out anew.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return get_response(request)
        _name_by_first(request)
        sent = request_id(request)
        if sent is None or not request.path_info.startswith(ONCE):
            return get_response(request)
        return _carry_out(request, _key(request, sent), get_response)

    return answer


def _name_by_first(request: HttpRequest) -> None:
    """Give a repeated request the id and the address of the first: the admin takes other parameters for filters."""
    if PARAMETER not in request.GET:
        return
    query = request.GET.copy()
    [*_, first] = query.pop(PARAMETER)
    request.META["HTTP_X_REQUEST_ID"] = first
    request.META["QUERY_STRING"] = query.urlencode()
    request.GET = query


def _key(request: HttpRequest, sent: UUID) -> str:
    """Return the key of a form in the cache. It holds the visitor's cookies, so that nobody gets another's answer."""
    cookies = [request.COOKIES.get(name) for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)]
    return f"form:{keyed_hash((sent.hex, request.path_info, *cookies))}"


def _carry_out(request: HttpRequest, key: str, get_response: View) -> HttpResponse:
    with transaction.atomic():
        take_turn(key)  # the first request may still run: its replica lost only the proxy
        if (before := cache.get(key)) is not None:
            return HttpResponse(**before)
        response = get_response(request)
        if response.status_code >= 500:
            transaction.set_rollback(True)
        elif kept := _kept(response):
            cache.set(key, kept, KEPT_SECONDS)
    return response


def _kept(response: HttpResponse) -> dict[str, Any]:
    """Return what is needed to repeat this answer; {} for a form that is shown again with its errors."""
    if 300 <= response.status_code < 400:
        return {"status": response.status_code, "headers": {"Location": response["Location"]}}
    if response.status_code == 200 and response["Content-Type"] == "application/json":  # a script's form
        return {"content": response.content, "content_type": "application/json"}
    return {}
