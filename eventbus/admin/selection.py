"""Admin actions that touch only the rows that the page showed, and that need a confirmation before they do harm.

A list that says "Select all 65" carries the ids of those 65. Rows that are added meanwhile are left out, even if they
match.
"""

from collections.abc import Collection
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from eventbus.admin.model_admin import COUNTED_MAX, ModelAdmin
from eventbus.selections import row_ids
from eventbus.selections.row_ids import written


class SelectionForm(ActionForm):
    """The choice of an action, with the ids of all rows that the list showed."""

    shown = forms.CharField(required=False, widget=forms.HiddenInput, label="")


class SelectionActions(ModelAdmin):
    """A mixin for admin classes: an action on "select all" touches only the rows that the page showed.

    It stands before the other base classes.
    """

    action_form = SelectionForm
    asked_first: ClassVar[Collection[str]] = ()  # actions that ask even for one row

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        page = super().changelist_view(request, extra_context)
        context = getattr(page, "context_data", None) or {}
        form, rows = context.get("action_form"), context.get("cl")
        if form is not None and rows is not None and rows.result_count > len(rows.result_list):
            ids = sorted(rows.queryset.values_list("pk", flat=True)[:COUNTED_MAX])
            form.fields["shown"].initial = written(ids[: rows.result_count])  # no rows added after the count
        return page

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *more: Any) -> HttpResponse | None:
        if request.POST.get("select_across") == "1":
            ids = read(request.POST.get("shown", ""))
            if not ids:
                messages.error(request, _("The list does not say which it showed. Look at it again, then choose."))
                return None
            queryset = self.get_queryset(request).filter(pk__in=ids)
        answer: HttpResponse | None = super().response_action(request, queryset, *more)
        return answer

    def asks(
        self, request: HttpRequest, rows: QuerySet[Any], *, action: str, question: str, label: Any, **context: Any
    ) -> TemplateResponse | None:
        """Return a page that asks the user to confirm the action, or None if the action may run now.

        "Select all" and the actions in `asked_first` need a confirmation. A confirmed request needs no other.
        """
        if "confirmed" in request.POST or not (action in self.asked_first or _are_many(request)):
            return None
        ids = list(rows.values_list("pk", flat=True)[:COUNTED_MAX])
        return TemplateResponse(
            request,
            "admin/eventbus/ask.html",
            {
                **self.admin_site.each_context(request),
                "title": label,
                "opts": self.opts,
                "action": action,
                "question": question,
                "label": label,
                "shown": written(ids),
                "first": ids[:1],
                **context,
            },
        )


def _are_many(request: HttpRequest) -> bool:
    return request.POST.get("select_across") == "1"


def read(text: str) -> list[int]:
    """Return the ids of a text that a list of this admin carries, or none."""
    return row_ids.read(text, at_most=COUNTED_MAX)
