"""The form on which staff choose partitions of a group, and a time or an offset in them."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from eventbus.backends.base import TopicPartition
from eventbus.models import Progress
from eventbus.registry import Group

OFFSET_MAX = 2**63 - 1  # the highest offset that a database takes


def time_field(label: Any) -> forms.DateTimeField:
    """Return the field of a time, which a browser lets pick."""
    widget = forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, required=False, widget=widget)


class PartitionChoiceForm(forms.Form):
    """The choice of partitions, and of either a time or an offset, whose fields a subclass adds."""

    field_order = ("time", "offset", "partitions")

    partitions = forms.MultipleChoiceField(
        label=gettext_lazy("Partitions"), widget=forms.CheckboxSelectMultiple, choices=()
    )

    def __init__(self, group: Group, topics: Sequence[str], *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.group = group
        rows = Progress.objects.filter(group=group.name, topic__in=topics).order_by("topic", "partition")
        self._by_name = {f"{row.topic}/{row.partition}": TopicPartition(row.topic, row.partition) for row in rows}
        text = _("%(partition)s, now at %(offset)d")
        choices = [
            (name, text % {"partition": name, "offset": row.offset})
            for name, row in zip(self._by_name, rows, strict=True)
        ]
        self.fields["partitions"].choices = choices  # type: ignore[attr-defined]  # of a choice field
        self.fields["partitions"].initial = list(self._by_name)

    def clean(self) -> dict[str, Any]:
        """Refuse a choice of both a time and an offset, or of neither."""
        found = super().clean() or {}
        if not self.errors and (found["time"] is None) == (found["offset"] is None):
            raise ValidationError(_("Give a time or an offset."))
        return found

    def chosen(self) -> list[TopicPartition]:
        """Return the partitions of a valid form."""
        return [self._by_name[name] for name in self.cleaned_data["partitions"]]
