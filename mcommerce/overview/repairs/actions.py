"""The audit trail: every action of an operator, by the admin, these pages and the command line alike."""

from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from eventbus.models import OperatorAction
from eventbus.selections import row_ids
from eventbus.selections.audit_trail import counted
from mcommerce.overview.frame import MAY_LOOK, context_of, for_staff, may_see_payloads

ACTIONS_SHOWN_MAX = 50  # a screen or two; older ones are a click away
TAB = "bus-actions"


def first_actions() -> QuerySet[OperatorAction]:
    """Return the actions of the page: a decision about thousands is one of them. They have an index."""
    return OperatorAction.objects.filter(Q(decision__isnull=True) | Q(decision=F("id")))


@require_safe
@for_staff(MAY_LOOK)
def actions(request: HttpRequest) -> HttpResponse:
    """Show who did what, when, to how many, and to which selection, the newest first."""
    rows = first_actions().order_by("-id")
    before = request.GET.get("before", "")
    if row_ids.read(before, at_most=1):
        rows = rows.filter(id__lt=int(before))
    found = list(rows[: ACTIONS_SHOWN_MAX + 1])
    context = {
        **context_of(request, TAB),
        "title": _("Audit trail"),
        "actions": counted(found[:ACTIONS_SHOWN_MAX]),
        "older": found[ACTIONS_SHOWN_MAX - 1].pk if len(found) > ACTIONS_SHOWN_MAX else None,
        "is_first": not before,
        "sees_payloads": may_see_payloads(request.user),
    }
    return render(request, "overview/repairs/actions.html", context)
