"""The page of the circuit breakers: of groups, and of the services that this server calls."""

from typing import NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from eventbus.operations import pausing
from mcommerce import staff_permissions
from mcommerce.overview.frame import MAY_LOOK, MAY_OPERATE, PART, for_staff, live, may_see_payloads
from outside import circuit_breaker

TAB = "bus-breakers"


class Breaker(NamedTuple):
    """A service's circuit breaker: its name and its state."""

    name: str
    state: str


@require_safe
@for_staff(MAY_LOOK)
def breakers(request: HttpRequest) -> HttpResponse:
    """Show the open circuit breakers of groups, and those of every service that this server has called."""
    context = {
        "title": _("Circuit breakers"),
        "groups": [one for one in pausing.standstills() if one.breaker_opened_at is not None],
        "services": [Breaker(*one) for one in sorted(circuit_breaker.states().items())],
        "rest_seconds": circuit_breaker.REST_SECONDS,
        "may_operate": staff_permissions.may(request.user, MAY_OPERATE),
        "sees_payloads": may_see_payloads(request.user),
    }
    return live(request, TAB, "overview/repairs/breakers.html", context, part=PART in request.GET)


@require_POST
@for_staff(MAY_OPERATE)
def close(request: HttpRequest) -> HttpResponse:
    """Close a circuit breaker: of the group, or of the service that the form names."""
    who, group, service = request.user.get_username(), request.POST.get("group"), request.POST.get("service", "")
    try:
        if group:
            pausing.close_breaker(group, who)
        else:
            pausing.close_service(service, who, close=circuit_breaker.close)
    except (pausing.PauseRefused, circuit_breaker.NotOpen) as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The circuit breaker of %(name)s is closed.") % {"name": group or service})
    return redirect(TAB)
