"""The page on which staff choose the waiting events that a paused group skips. A bulk run asks and shows the end."""

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from eventbus import registry
from eventbus.models import BulkRun
from eventbus.repairs.dead_letters import UNDO_DAYS
from eventbus.repairs.skipping import SkipFilter, SkipRefused
from eventbus.selections import skips
from mcommerce.overview.frame import MAY_OPERATE, context_of, for_staff
from mcommerce.overview.repairs.partition_choice import OFFSET_MAX, PartitionChoiceForm, time_field

TAB = "bus-groups"
RUNS_SHOWN_MAX = 10  # earlier skips of the group on the page of the choice


class SkipForm(PartitionChoiceForm):
    """The choice of partitions, and of the time or offset at which the group goes on."""

    time = time_field(gettext_lazy("Go on with what was published from this time on (UTC)"))
    offset = forms.IntegerField(
        label=gettext_lazy("Or go on at this offset"), required=False, min_value=1, max_value=OFFSET_MAX
    )

    def freeze(self, who: str) -> BulkRun:
        """Store the dry run of a valid form. Raises SkipRefused."""
        found = self.cleaned_data
        wanted = SkipFilter(group=self.group, partitions=self.chosen(), offset=found["offset"], time=found["time"])
        return skips.freeze(wanted, who)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(MAY_OPERATE)
def choose_skip(request: HttpRequest, projection: str) -> HttpResponse:
    """Let an operator choose what a group skips, and by POST store the dry run."""
    if projection not in registry.groups:
        raise Http404
    found = registry.groups[projection]
    form = SkipForm(found, found.topics, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("bus-run", run=form.freeze(request.user.get_username()).pk)
        except SkipRefused as refused:
            form.add_error(None, str(refused))
    context = {
        **context_of(request, TAB),
        "title": _("Group %(group)s: skip waiting events") % {"group": projection},
        "group": found,
        "is_paused": skips.is_paused(projection),
        "form": form,
        "runs": BulkRun.objects.filter(group=projection, action=BulkRun.Action.SKIP).order_by("-id")[:RUNS_SHOWN_MAX],
        "undo_days": UNDO_DAYS,
    }
    return render(request, "overview/repairs/choose_skip.html", context)
