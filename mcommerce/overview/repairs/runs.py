"""The page of a bulk run: it asks with the number of letters, shows the progress, and offers export and undo."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from eventbus.models import BulkRun
from eventbus.repairs.dead_letters import UNDO_DAYS
from eventbus.repairs.skipping import SkipRefused
from eventbus.selections import bulk_runs, export, skips
from eventbus.selections.bulk_runs import RunRefused
from mcommerce import staff_permissions
from mcommerce.overview.frame import MAY_LOOK, MAY_OPERATE, PART, for_staff, live, may_see_payloads

TABS = {BulkRun.Action.SKIP: "bus-groups"}  # where an action is chosen; the others among the failures


@require_safe
@for_staff(MAY_LOOK)
def run(request: HttpRequest, run: int) -> HttpResponse:
    """Show a run: its question, its progress, or its end. The part refreshes itself."""
    found = get_object_or_404(BulkRun.objects.defer("ids"), pk=run)
    at = bulk_runs.progress(found)
    context = {
        "title": _("Bulk run %(number)d") % {"number": found.pk},
        "stretches": skips.stretches(found),
        "run": found,
        "progress": at,
        "is_mine": found.who == request.user.get_username(),
        "may_operate": staff_permissions.may(request.user, MAY_OPERATE),
        "undo_days": UNDO_DAYS,
        "all": found.total + found.parked,
        "undone": BulkRun.objects.filter(undoes=found.pk).exclude(state=BulkRun.State.FROZEN).last(),
        "can_undo": _can_undo(found, waiting=at.waiting),
    }
    tab = TABS.get(BulkRun.Action(found.action), "bus-failures")
    return live(request, tab, "overview/repairs/run.html", context, part=PART in request.GET)


def _can_undo(found: BulkRun, *, waiting: int) -> bool:
    if found.action not in bulk_runs.UNDOABLE or found.state != BulkRun.State.DONE or waiting:
        return False
    under_way = BulkRun.objects.filter(undoes=found.pk, state=BulkRun.State.RUNNING).exists()
    return not under_way and bulk_runs.undoable(found).exists()


@require_POST
@for_staff(MAY_OPERATE)
def begin(request: HttpRequest, run: int) -> HttpResponse:
    """Begin a run to which its operator says yes."""
    found = get_object_or_404(BulkRun, pk=run)
    begins = skips.begin if found.action == BulkRun.Action.SKIP else bulk_runs.begin
    try:
        begins(found, request.user.get_username())
    except (RunRefused, SkipRefused) as refused:
        messages.error(request, str(refused))
    return redirect("bus-run", run=found.pk)


@require_POST
@for_staff(MAY_OPERATE)
def undo(request: HttpRequest, run: int) -> HttpResponse:
    """Freeze all that a run has discarded, and lead to the page that asks whether to restore it."""
    found = get_object_or_404(BulkRun, pk=run)
    try:
        undoing = bulk_runs.freeze_undo(found, request.user.get_username())
    except RunRefused as refused:
        messages.error(request, str(refused))
        return redirect("bus-run", run=found.pk)
    return redirect("bus-run", run=undoing.pk)


@require_safe
@for_staff(MAY_OPERATE)
def download(request: HttpRequest, run: int) -> HttpResponseBase:
    """Return the letters of an export as JSON lines, without payloads for those who may not look into them."""
    found = get_object_or_404(BulkRun, pk=run, action=BulkRun.Action.EXPORT)
    if found.state != BulkRun.State.DONE:
        raise Http404  # nobody has said yes yet, so it is not in the audit trail
    blocks = export.blocks(found, payloads=may_see_payloads(request.user))
    answer = StreamingHttpResponse(
        _later(blocks) if isinstance(request, ASGIRequest) else blocks, content_type="application/jsonl"
    )
    answer["Content-Disposition"] = f'attachment; filename="dead-letters-{found.pk}.jsonl"'
    return answer


async def _later(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the blocks to a server that asks for them without a thread of its own."""
    while block := await sync_to_async(lambda: next(blocks, b""))():
        yield block
