"""The pages of the failures: dead letters grouped by cause, and the letters of one cause."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from eventbus.column_sizes import CAUSE_CHARACTERS
from eventbus.models import BulkRun
from eventbus.selections import bulk_runs, row_ids
from eventbus.selections.bulk_runs import SELECTED_MAX, RunRefused
from eventbus.selections.failure_groups import GROUPS_SHOWN_MAX, failure_groups, letters_of
from mcommerce import staff_permissions
from mcommerce.overview.frame import (
    MAY_LOOK,
    MAY_OPERATE,
    PART,
    context_of,
    for_staff,
    live,
    may_see_payloads,
)

LETTERS_SHOWN_MAX = 50  # letters of one page: each has a traceback, and a reader looks at a few
TAB = "bus-failures"


@require_safe
@for_staff(MAY_LOOK)
def failures(request: HttpRequest) -> HttpResponse:
    """Show the open dead letters by cause, with their number and their first and last time."""
    found = failure_groups(at_most=GROUPS_SHOWN_MAX + 1)
    context = {
        "title": _("Failures"),
        "failures": found[:GROUPS_SHOWN_MAX],
        "more": len(found) > GROUPS_SHOWN_MAX,
        "runs": BulkRun.objects.filter(state=BulkRun.State.RUNNING).order_by("id"),
    }
    return live(request, TAB, "overview/repairs/failures.html", context, part=PART in request.GET)


@require_safe
@for_staff(MAY_LOOK)
def failure(request: HttpRequest, cause: str) -> HttpResponse:
    """Show the letters of one cause, the newest first, and offer what can be done about all of them."""
    if len(cause) != CAUSE_CHARACTERS:
        raise Http404
    found = next(iter(failure_groups(cause)), None)
    letters = letters_of(cause).order_by("-id").defer("payload", "headers")
    before = request.GET.get("before", "")
    if row_ids.read(before, at_most=1):
        letters = letters.filter(id__lt=int(before))
    rows = list(letters[: LETTERS_SHOWN_MAX + 1])
    ids = bulk_runs.shown_ids(cause)
    context: dict[str, Any] = {
        **context_of(request, TAB),
        "title": _("Failure: %(error)s") % {"error": found.error_class} if found else _("Failure"),
        "failure": found,
        "cause": cause,
        "letters": rows[:LETTERS_SHOWN_MAX],
        "older": rows[LETTERS_SHOWN_MAX - 1].pk if len(rows) > LETTERS_SHOWN_MAX else None,
        "is_first": not before,
        "shown": row_ids.written(ids),
        "selected": len(ids),
        "cut": len(ids) == SELECTED_MAX,
        "may_operate": staff_permissions.may(request.user, MAY_OPERATE),
        "sees_payloads": may_see_payloads(request.user),
    }
    return render(request, "overview/repairs/failure.html", context)


@require_POST
@for_staff(MAY_OPERATE)
def select(request: HttpRequest, cause: str) -> HttpResponse:
    """Store which letters the page showed, and redirect to the page that asks for a confirmation of their number."""
    found = next(iter(failure_groups(cause)), None)
    ids = row_ids.read(request.POST.get("shown", ""), at_most=SELECTED_MAX)
    action = request.POST.get("action", "")
    if action not in (BulkRun.Action.REQUEUE, BulkRun.Action.DISCARD, BulkRun.Action.EXPORT):
        raise Http404
    if found is None or not ids:
        messages.error(request, _("The page does not say which letters it showed. Look at it again, then choose."))
        return redirect("bus-failure", cause=cause)
    try:
        run = bulk_runs.freeze(
            found,
            BulkRun.Action(action),
            ids,
            request.user.get_username(),
            with_parked=action == BulkRun.Action.DISCARD and "with_parked" in request.POST,
        )
    except RunRefused as refused:
        messages.error(request, str(refused))
        return redirect("bus-failure", cause=cause)
    return redirect("bus-run", run=run.pk)
