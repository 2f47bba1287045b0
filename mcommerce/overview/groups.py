"""The page of the consumer groups, and the form that pauses or resumes one."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from eventbus.models import ConsumerGroup
from eventbus.operations import pausing
from eventbus.reports import groups as group_reports
from mcommerce import staff_permissions
from mcommerce.overview.frame import MAY_LOOK, MAY_OPERATE, PART, context_of, for_staff, live

ACTIONS = {"pause": pausing.pause, "resume": pausing.resume}


@require_safe
@for_staff(MAY_LOOK)
def groups(request: HttpRequest) -> HttpResponse:
    """Show each group: whether it flows, its lag, its partitions and the processes that read them."""
    found = group_reports.report()
    context = {
        "title": _("Consumer groups"),
        "at": found.at,
        "groups": found.groups,
        "log_unavailable": found.log_unavailable,
        "may_operate": staff_permissions.may(request.user, MAY_OPERATE),
    }
    return live(request, "bus-groups", "overview/groups.html", context, part=PART in request.GET)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(MAY_OPERATE)
def operate_group(request: HttpRequest, group: str, action: str) -> HttpResponse:
    """Ask whether a group is to be paused or resumed, and do so by POST. The audit trail names who did."""
    if action not in ACTIONS:
        raise Http404
    row = get_object_or_404(ConsumerGroup, name=group)
    if request.method != "POST":
        title = _("Pause group %(group)s?") if action == "pause" else _("Resume group %(group)s?")
        context = {**context_of(request, "bus-groups"), "title": title % {"group": group}, "group": row}
        return render(request, "overview/operate_group.html", {**context, "action": action})
    try:
        ACTIONS[action](row, request.user.get_username())
    except pausing.PauseRefused as refused:
        messages.warning(request, str(refused))
    else:
        done = _("Group %(group)s is paused.") if action == "pause" else _("Group %(group)s goes on.")
        messages.success(request, done % {"group": group})
    return redirect("bus-groups")
