"""The pages on which staff let a group handle past events again: the choice, the dry run, and the run itself."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from eventbus import registry
from eventbus.backends.base import TopicPartition
from eventbus.models import Progress, ReplayRun
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

TAB = "bus-groups"
RUNS_SHOWN_MAX = 10  # earlier replays of the group on the page of the choice
OFFSET_MAX = 2**63 - 1  # the highest offset that a database takes
STEPS = {"begin": dry_runs.begin, "stop": dry_runs.stop, "resume": dry_runs.go_on}


class ReplayForm(forms.Form):
    """The choice of partitions, and of the time or offset from which their events are handled again."""

    since = forms.DateTimeField(
        label=gettext_lazy("From this time on (UTC)"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"),
    )
    offset = forms.IntegerField(
        label=gettext_lazy("Or from this offset on"), required=False, min_value=0, max_value=OFFSET_MAX
    )
    partitions = forms.MultipleChoiceField(
        label=gettext_lazy("Partitions"), widget=forms.CheckboxSelectMultiple, choices=()
    )

    def __init__(self, group: Group, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.group = group
        self.rows = {
            f"{row.topic}/{row.partition}": row
            for row in Progress.objects.filter(group=group.name, topic__in=replayable_topics(group)).order_by(
                "topic", "partition"
            )
        }
        choices = [
            (name, _("%(partition)s, now at %(offset)d") % {"partition": name, "offset": row.offset})
            for name, row in self.rows.items()
        ]
        self.fields["partitions"].choices = choices  # type: ignore[attr-defined]  # of a choice field
        self.fields["partitions"].initial = list(self.rows)

    def clean(self) -> dict[str, Any]:
        """Refuse a choice of both a time and an offset, or of neither."""
        found = super().clean() or {}
        if not self.errors and (found["since"] is None) == (found["offset"] is None):
            raise ValidationError(_("Give a time or an offset."))
        return found

    def freeze(self, who: str) -> ReplayRun:
        """Store the dry run of a valid form. Raises ReplayRefused."""
        chosen = [self.rows[name] for name in self.cleaned_data["partitions"]]
        partitions = [TopicPartition(row.topic, row.partition) for row in chosen]
        wanted = ReplayFilter(
            group=self.group,
            topics={one.topic for one in partitions},
            since=self.cleaned_data["since"],
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
    form = ReplayForm(found, request.POST if request.method == "POST" else None)
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
