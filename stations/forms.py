"""The forms of the producer's page: the plan of a feed's polls, and the remark box."""

from typing import Any

from django import forms
from django.core.validators import MinValueValidator
from django.utils.formats import number_format
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from stations.models import REMARK_LENGTH_MAX, REMARK_NAME_LENGTH_MAX, PollPlan
from stations.services.poll_schedule import CALLS_MAX, INTERVAL_MS_MAX, interval_ms_min


class PlanForm(forms.Form):
    """The interval between a feed's polls, and the number of polls to come."""

    interval_ms = forms.IntegerField(label=_("Interval in milliseconds"), max_value=INTERVAL_MS_MAX)
    calls = forms.IntegerField(label=_("Number of calls"), min_value=0, max_value=CALLS_MAX)

    def __init__(self, *args: Any, plan: PollPlan, **kwargs: Any) -> None:
        initial = {"interval_ms": plan.interval_ms, "calls": plan.calls_left}
        super().__init__(*args, **kwargs | {"initial": initial, "auto_id": f"id_{plan.feed}_%s"})
        shortest = interval_ms_min(plan.feed)
        interval: Any = self.fields["interval_ms"]
        interval.min_value = shortest
        interval.validators.append(MinValueValidator(shortest))
        interval.widget.attrs.update(min=shortest, max=INTERVAL_MS_MAX, inputmode="numeric")
        interval.help_text = _("From %(min)s to %(max)s.") % {
            "min": number_format(shortest, force_grouping=True),
            "max": number_format(INTERVAL_MS_MAX, force_grouping=True),
        }
        self.fields["calls"].help_text = _("0 is until stopped.")


class RemarkForm(forms.Form):
    """A visitor's remark, shown to all visitors."""

    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=REMARK_NAME_LENGTH_MAX,
        help_text=format_lazy(_("At most {max} characters; may stay empty."), max=REMARK_NAME_LENGTH_MAX),
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )
    message = forms.CharField(
        label=_("Message"),
        max_length=REMARK_LENGTH_MAX,
        help_text=format_lazy(_("At most {max} characters."), max=REMARK_LENGTH_MAX),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
