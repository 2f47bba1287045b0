"""The page on which staff choose the waiting events that a paused group skips. A bulk run asks and shows the end."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from eventbus import registry
from eventbus.backends.base import TopicPartition
from eventbus.models import BulkRun, Progress
from eventbus.registry import Group
from eventbus.repairs.dead_letters import UNDO_DAYS
from eventbus.repairs.skipping import SkipFilter, SkipRefused
from eventbus.selections import skips
from mcommerce.overview.frame import MAY_OPERATE, context_of, for_staff

TAB = "bus-groups"
RUNS_SHOWN_MAX = 10  # earlier skips of the group on the page of the choice
OFFSET_MAX = 2**63 - 1  # the highest offset that a database takes


class SkipForm(forms.Form):
    """The choice of partitions, and of the time or offset at which the group goes on."""

    time = forms.DateTimeField(
        label=gettext_lazy("Go on with what was published from this time on (UTC)"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"),
    )
    offset = forms.IntegerField(
        label=gettext_lazy("Or go on at this offset"), required=False, min_value=1, max_value=OFFSET_MAX
    )
    partitions = forms.MultipleChoiceField(
        label=gettext_lazy("Partitions"), widget=forms.CheckboxSelectMultiple, choices=()
    )

    def __init__(self, group: Group, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.group = group
        rows = Progress.objects.filter(group=group.name, topic__in=group.topics).order_by("topic", "partition")
        self.by_name = {f"{row.topic}/{row.partition}": TopicPartition(row.topic, row.partition) for row in rows}
        text = _("%(partition)s, now at %(offset)d")
        choices = [
            (name, text % {"partition": name, "offset": row.offset})
            for name, row in zip(self.by_name, rows, strict=True)
        ]
        self.fields["partitions"].choices = choices  # type: ignore[attr-defined]  # of a choice field
        self.fields["partitions"].initial = list(self.by_name)

    def clean(self) -> dict[str, Any]:
        """Refuse a choice of both a time and an offset, or of neither."""
        found = super().clean() or {}
        if not self.errors and (found["time"] is None) == (found["offset"] is None):
            raise ValidationError(_("Give a time or an offset."))
        return found

    def freeze(self, who: str) -> BulkRun:
        """Store the dry run of a valid form. Raises SkipRefused."""
        found = self.cleaned_data
        partitions = [self.by_name[name] for name in found["partitions"]]
        wanted = SkipFilter(group=self.group, partitions=partitions, offset=found["offset"], time=found["time"])
        return skips.freeze(wanted, who)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(MAY_OPERATE)
def choose_skip(request: HttpRequest, projection: str) -> HttpResponse:
    """Let an operator choose what a group skips, and by POST store the dry run."""
    if projection not in registry.groups:
        raise Http404
    found = registry.groups[projection]
    form = SkipForm(found, request.POST if request.method == "POST" else None)
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
