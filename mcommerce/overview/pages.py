"""The overview's page, for staff who may look into the bus."""

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from eventbus.operations import status
from eventbus.operations.group_status import GroupStatus
from mcommerce import staff_permissions
from mcommerce.overview.faults import faults

MAY_LOOK = "eventbus.view_progress"
PART = "part"  # the parameter by which the page's script asks for what changes alone
REFRESH_SECONDS = 5  # a fault is shown within 15 s: two of these, and the checks' own rounds


@never_cache
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show what is wrong, and the state of groups and processes. The script asks for the part that changes."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if not staff_permissions.may(request.user, MAY_LOOK):
        raise PermissionDenied
    found = status.status()
    context = {
        **admin.site.each_context(request),
        "at": found.at,
        "faults": faults(found),
        "groups": sorted(found.groups, key=_urgency),
        "outbox": found.outbox,
        "processes": found.processes,
        "refresh_ms": REFRESH_SECONDS * 1_000,
    }
    return render(request, "overview/state.html" if PART in request.GET else "overview/page.html", context)


def _urgency(one: GroupStatus) -> tuple[bool, float, str, str]:
    """The key that sorts groups: those with failures first, then those that wait longest."""
    return not (one.dead_letters or one.retrying_keys), -one.waiting_seconds, one.group, one.topic
