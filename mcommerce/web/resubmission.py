"""Forms that are sent again: the Caddyfile has the browser repeat a form if a replica fails over it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.urls import Resolver404, resolve

from mcommerce.features.installed import repeats_harmless
from mcommerce.rate_limits.named_locks import take_turn
from mcommerce.rate_limits.visitor_identity import keyed_hash

PARAMETER = "again"  # of the address to which the proxy redirects: the id of the first request
WEBHOOKS = "/webhook/"  # in an address: no browser sends it, and the Caddyfile asks for none of them again
HARMLESS = {"/i18n/": "to choose a language twice changes nothing more"}
# The admin's forms that make or change a row. Its actions and decisions depend on the state of their rows, so a second
# one changes nothing more. They may lock many rows or call the provider, and so must not run in one transaction.
ADMIN_FORMS = ("/add/", "/change/")
CHARSET = "utf-8"  # a form in another one is refused later on, unread
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
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
        readable = (request.content_params or {}).get("charset", CHARSET).lower() == CHARSET
        if sent is None or not readable or not is_carried_out_once(request.path_info):
            return get_response(request)
        return _carry_out(request, _key(request, sent), get_response)

    return answer


def is_carried_out_once(path: str) -> bool:
    """Return False for forms that recognise a repeat themselves, or that must not run in one transaction.

    The apps name them (`repeats_harmless`), each with its reason. A view may also be declared non-atomic.
    """
    if WEBHOOKS in path or path.startswith((*HARMLESS, *repeats_harmless())):
        return False
    try:
        match = resolve(path)
    except Resolver404:  # nothing happens there
        return False
    if match.app_name == "admin":
        return path.endswith(ADMIN_FORMS)
    return DEFAULT_DB_ALIAS not in getattr(match.func, "_non_atomic_requests", ())


def _name_by_first(request: HttpRequest) -> None:
    """Give a repeated request the id and the address of the first: the admin takes other parameters for filters."""
    if PARAMETER not in request.GET:
        return
    query = request.GET.copy()
    [*_, first] = query.pop(PARAMETER)
    request.META["HTTP_X_REQUEST_ID"] = first
    request.META["QUERY_STRING"] = query.urlencode()
    request.GET = query  # type: ignore[assignment]  # mutable, as Django allows


def _key(request: HttpRequest, sent: UUID) -> str:
    """Return the key of a form in the cache.

    It holds the visitor's cookies, so that nobody gets another's answer. It holds what was typed, so that another form
    from the same page is another form.
    """
    cookies = [request.COOKIES.get(name) for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)]
    return f"form:{keyed_hash((sent.hex, request.path_info, *cookies, _typed(request)))}"


def _typed(request: HttpRequest) -> object:
    """Return what a form holds. It is read here, before the transaction: its sender may be slow."""
    try:
        if request.content_type not in FORM_TYPES:
            return request.body
        fields = sorted((name, values) for name, values in request.POST.lists() if name != "csrfmiddlewaretoken")
        uploads = request.FILES.lists()
        return fields, sorted((name, [(file.name, file.size) for file in files]) for name, files in uploads)
    except UnreadablePostError:  # the sender has left; Django's own middleware answers
        return None


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
    """Return what is needed to repeat this answer; {} for a form that is shown again with its errors, and a stream."""
    status = response.status_code
    if 300 <= status < 400 and "Location" in response:
        return {"status": status, "headers": {"Location": response["Location"]}}
    if status == 204:
        return {"status": status}
    if 200 <= status < 300 and not response.streaming and response.get("Content-Type") == "application/json":
        return {"status": status, "content": response.content, "content_type": "application/json"}  # a script's form
    return {}
