"""The pages of the published events: a list, one event, and a page of the list as a file.

Events hold e-mail addresses, so these pages are for staff who may look into payloads.
"""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from eventbus.admin.roles import VIEW_PAYLOAD
from eventbus.events import KEY_CHARACTERS_MAX
from eventbus.reports import events as event_reports
from eventbus.reports.events import EventPage, Wanted
from eventbus.schemas.site_events import site_events
from mcommerce.overview.frame import MAY_SEE_EVENTS, context_of, for_staff

BEFORE = "before"  # the parameter that names where the next page begins
NUMBER_MAX = 2**63 - 1  # the highest id that a database takes


class EventForm(forms.Form):
    """The question of a reader. Times are in UTC, as in the list."""

    type = forms.ChoiceField(label=gettext_lazy("Type"), required=False)
    topic = forms.ChoiceField(label=gettext_lazy("Topic"), required=False)
    key = forms.CharField(label=gettext_lazy("Key"), required=False, max_length=KEY_CHARACTERS_MAX)
    since = forms.DateTimeField(
        label=gettext_lazy("From (UTC)"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"),
    )
    until = forms.DateTimeField(
        label=gettext_lazy("Until (UTC)"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"),
    )
    before = forms.IntegerField(required=False, min_value=0, max_value=NUMBER_MAX, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        types = site_events()
        choices = {"type": list(types), "topic": sorted({one.topic for one in types.values()})}
        for name, values in choices.items():
            every = [("", gettext_lazy("all")), *((one, one) for one in values)]
            self.fields[name].choices = every  # type: ignore[attr-defined]  # of a ChoiceField

    def wanted(self) -> Wanted:
        """Return what a valid form asks for."""
        found = self.cleaned_data
        return Wanted(**{name: found[name] for name in self.fields})


@require_safe
@for_staff(MAY_SEE_EVENTS, VIEW_PAYLOAD)
def events(request: HttpRequest) -> HttpResponse:
    """Show a page of events, the newest first, and the form that narrows them down."""
    form = EventForm(request.GET)
    page = event_reports.page(form.wanted()) if form.is_valid() else EventPage([], None, False)
    context = {**context_of(request, "bus-events"), "title": _("Events"), "form": form, "page": page}
    query = request.GET.copy()
    context |= {"query": query.urlencode(), "is_later": BEFORE in query}
    if page.older is not None:
        query[BEFORE] = str(page.older)
        context["older"] = query.urlencode()
    return render(request, "overview/events.html", context)


@require_safe
@for_staff(MAY_SEE_EVENTS, VIEW_PAYLOAD)
def event(request: HttpRequest, number: int) -> HttpResponse:
    """Show one event: decoded, as stored, its headers, and what each group has made of it."""
    found = event_reports.detail(number) if number <= NUMBER_MAX else None
    if found is None:
        raise Http404
    context = {**context_of(request, "bus-events"), "title": found.listed.type, "event": found, "one": found.listed}
    context["is_known"] = found.listed.type in site_events()
    return render(request, "overview/event.html", context)


@require_safe
@for_staff(MAY_SEE_EVENTS, VIEW_PAYLOAD)
def export_events(request: HttpRequest) -> HttpResponse:
    """Answer with the same page of events as JSON lines; without any, if the question was wrong."""
    form = EventForm(request.GET)
    lines = event_reports.exported(form.wanted()) if form.is_valid() else ()
    headers = {"Content-Disposition": 'attachment; filename="events.jsonl"'}
    return HttpResponse(b"".join(lines), content_type="application/x-ndjson", headers=headers)
