"""The pages on which staff let a group handle past events again: the choice, the dry run, and the run itself."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from eventbus import registry
from eventbus.models import ReplayRun
from eventbus.registry import Group
from eventbus.repairs import dry_runs
from eventbus.repairs.replay_filter import ReplayFilter, ReplayRefused
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
from mcommerce.overview.repairs.partition_choice import OFFSET_MAX, PartitionChoiceForm, time_field

TAB = "bus-groups"
RUNS_SHOWN_MAX = 10  # earlier replays of the group on the page of the choice
STEPS = {"begin": dry_runs.begin, "stop": dry_runs.stop, "resume": dry_runs.go_on}


class ReplayForm(PartitionChoiceForm):
    """The choice of partitions, and of the time or offset from which their events are handled again."""

    time = time_field(gettext_lazy("From this time on (UTC)"))
    offset = forms.IntegerField(
        label=gettext_lazy("Or from this offset on"), required=False, min_value=0, max_value=OFFSET_MAX
    )

    def freeze(self, who: str) -> ReplayRun:
        """Store the dry run of a valid form. Raises ReplayRefused."""
        partitions = self.chosen()
        wanted = ReplayFilter(
            group=self.group,
            topics={one.topic for one in partitions},
            since=self.cleaned_data["time"],
            partitions=partitions,
            offset=self.cleaned_data["offset"] or 0,
        )
        return dry_runs.freeze(wanted, who)


def replayable_topics(group: Group) -> list[str]:
    """Return the topics of a group whose handlers may all handle an event again."""
    once = {handler.event_type.topic for handler in group.all() if not handler.replayable}
    return [topic for topic in group.topics if topic not in once]


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(MAY_OPERATE)
def choose_replay(request: HttpRequest, projection: str) -> HttpResponse:
    """Let an operator choose what a group handles again, and by POST store the dry run."""
    if projection not in registry.groups:
        raise Http404
    found = registry.groups[projection]
    form = ReplayForm(found, replayable_topics(found), request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("bus-replay", replay=form.freeze(request.user.get_username()).pk)
        except ReplayRefused as refused:
            form.add_error(None, str(refused))
    context = {
        **context_of(request, TAB),
        "title": _("Group %(group)s: handle past events again") % {"group": projection},
        "group": found,
        "topics": replayable_topics(found),
        "form": form,
        "runs": ReplayRun.objects.filter(group=projection).order_by("-id")[:RUNS_SHOWN_MAX],
    }
    return render(request, "overview/repairs/choose_replay.html", context)


@require_safe
@for_staff(MAY_LOOK)
def replay(request: HttpRequest, replay: int) -> HttpResponse:
    """Show a replay: its question with the numbers, its progress, or its end. The part refreshes itself."""
    found = get_object_or_404(ReplayRun, pk=replay)
    counted = dry_runs.counts(found)
    context = {
        "title": _("Replay %(number)d") % {"number": found.pk},
        "run": found,
        "counts": counted,
        "events": sum(one.events for one in counted) if counted else found.matched,
        "left_out": sum(one.left_out for one in counted),
        "is_mine": found.who == request.user.get_username(),
        "may_operate": staff_permissions.may(request.user, MAY_OPERATE),
        "sees_payloads": may_see_payloads(request.user),
    }
    return live(request, TAB, "overview/repairs/replay.html", context, part=PART in request.GET)


@require_POST
@for_staff(MAY_OPERATE)
def operate_replay(request: HttpRequest, replay: int, step: str) -> HttpResponse:
    """Begin a replay to which its operator says yes, stop one, or let it go on."""
    if step not in STEPS:
        raise Http404
    found = get_object_or_404(ReplayRun, pk=replay)
    try:
        STEPS[step](found, request.user.get_username())
    except ReplayRefused as refused:
        messages.error(request, str(refused))
    return redirect("bus-replay", replay=found.pk)
