"""The frame of the operator's pages: who may open one, the navigation, and the part that refreshes itself."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from eventbus.admin import roles
from mcommerce import staff_permissions
from mcommerce.overview import faults
from mcommerce.readiness.impatience import is_lock

PART = "part"  # the parameter by which htmx asks for what changes alone
REFRESH_SECONDS = 5  # a fault is shown within 15 s: two of these, and the checks' own rounds
BY_HTMX = "HX-Request"  # the header of htmx's requests
RELOAD = "HX-Refresh"  # the header by which htmx loads the whole page again
UNREAD = "X-Overview-Unread"  # the header of an answer that names a lock in place of what cannot be read

MAY_LOOK, MAY_OPERATE = roles.LOOK, roles.OPERATE
MAY_SEE_EVENTS = "eventbus.view_outboxrow"
MAY_SEE_PROCESSES = "eventbus.view_processrow"

View = Callable[..., HttpResponseBase]


class Tab(NamedTuple):
    """An entry of the navigation: a page, its name, and the permissions without which it is left out."""

    url_name: str
    label: str | Promise
    permissions: tuple[str, ...]


TABS = (
    Tab("overview", _("Overview"), (MAY_LOOK,)),
    Tab("journey", _("Journey"), (MAY_SEE_EVENTS,)),
    Tab("bus-groups", _("Groups"), (MAY_LOOK,)),
    Tab("bus-topics", _("Topics"), (MAY_LOOK,)),
    Tab("bus-processes", _("Processes"), (MAY_SEE_PROCESSES,)),
    Tab("bus-events", _("Events"), (MAY_SEE_EVENTS, roles.VIEW_PAYLOAD)),
    Tab("bus-failures", _("Failures"), (MAY_LOOK,)),
    Tab("bus-breakers", _("Circuit breakers"), (MAY_LOOK,)),
    Tab("bus-actions", _("Audit trail"), (MAY_LOOK,)),
    Tab("bus-map", _("Map"), (MAY_LOOK,)),
    Tab("bus-catalogue", _("Catalogue"), (MAY_LOOK,)),
)


def may_see_payloads(user: Any) -> bool:
    """Return whether this user may read what events contain: addresses of people stand in some of them."""
    return staff_permissions.may(user, roles.VIEW_PAYLOAD)


def for_staff(*permissions: str) -> Callable[[View], View]:
    """Return a decorator: the page is for staff with all permissions, is never cached, and visitors are to sign in."""

    def decorate(view: View) -> View:
        @never_cache
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **named: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                if BY_HTMX in request.headers:  # signed out meanwhile: the whole page leads to the sign-in page
                    return HttpResponse(status=401, headers={RELOAD: "true"})
                return redirect_to_login(request.get_full_path())
            if not all(staff_permissions.may(request.user, one) for one in permissions):
                raise PermissionDenied
            try:
                return view(request, *args, **named)
            except DatabaseError as error:
                if request.method == "POST" or not is_lock(error):
                    raise
                return _of_locks(request)

        return guarded

    return decorate


def _of_locks(request: HttpRequest) -> HttpResponse:
    """Return the page that is shown instead of one that a lock keeps from being read: who holds which table."""
    name = request.resolver_match.url_name if request.resolver_match else ""
    title = _("This page cannot be read while a table is locked")
    context = {"title": title, "faults": faults.of_locks()}
    answer = live(request, name or "", "overview/of_locks.html", context, part=PART in request.GET)
    return unread(answer)


def unread(answer: HttpResponse) -> HttpResponse:
    """Make the answer one of a page that cannot be read now: the page's script shows it all the same."""
    answer.status_code = 503
    answer.headers[UNREAD] = "1"
    answer.headers["Retry-After"] = str(REFRESH_SECONDS)
    return answer


def context_of(request: HttpRequest, url_name: str) -> dict[str, Any]:
    """Return the variables of the frame around the page with this URL name."""
    tabs = [tab for tab in TABS if all(staff_permissions.may(request.user, one) for one in tab.permissions)]
    return {**admin.site.each_context(request), "tabs": tabs, "tab": url_name}


def live(request: HttpRequest, url_name: str, template: str, context: dict[str, Any], *, part: bool) -> HttpResponse:
    """Return a page whose one part, drawn by `template`, refreshes itself; with `part` that part alone.

    `context` has at least the `title` of the page.
    """
    found = {**context_of(request, url_name), "part_template": template, **context}
    if part:
        return render(request, "overview/part.html", found)
    query = request.GET.copy()
    query[PART] = "state"
    return render(
        request,
        "overview/base.html",
        {**found, "part_url": f"{request.path}?{query.urlencode()}", "refresh_seconds": REFRESH_SECONDS},
    )
