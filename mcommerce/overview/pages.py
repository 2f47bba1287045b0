"""The overview's page, for staff who may look into the bus."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from eventbus import clock
from eventbus.operations import heartbeats, status
from eventbus.operations.group_status import GroupStatus
from mcommerce.overview import examination
from mcommerce.overview.faults import faults_despite_locks
from mcommerce.overview.frame import MAY_LOOK, PART, for_staff, live
from mcommerce.readiness.impatience import readable


@require_safe
@for_staff(MAY_LOOK)
def overview(request: HttpRequest) -> HttpResponse:
    """Show what is wrong, and the state of groups and processes. htmx asks for the part that changes.

    A section whose table is locked says so, and the others are shown.
    """
    found = readable(status.status)
    wrong = faults_despite_locks(found)
    context = {
        "title": (f"({len(wrong)}) " if wrong else "") + _("Event bus: overview"),
        "at": found.at if found else clock.now(),
        "faults": wrong,
        "groups": sorted(found.groups, key=_urgency) if found else None,
        "outbox": found.outbox if found else None,
        "processes": found.processes if found else readable(heartbeats.processes),
        "examined": examination.latest(),
    }
    return live(request, "overview", "overview/state.html", context, part=PART in request.GET)


def _urgency(one: GroupStatus) -> tuple[bool, float, str, str]:
    """The key that sorts groups: those with failures first, then those that wait longest."""
    return not (one.dead_letters or one.retrying_keys), -one.waiting_seconds, one.group, one.topic
