"""The catalogue of the events: each with its schema, an example, its publishers and the groups that handle it."""

import json

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from eventbus.reports import catalogue as catalogue_reports
from mcommerce.overview.frame import MAY_LOOK, context_of, for_staff


@require_safe
@for_staff(MAY_LOOK)
def catalogue(request: HttpRequest) -> HttpResponse:
    """List every event of the site by topic."""
    context = {
        **context_of(request, "bus-catalogue"),
        "title": _("Catalogue of events"),
        "entries": catalogue_reports.entries(),
    }
    return render(request, "overview/catalogue.html", context)


@require_safe
@for_staff(MAY_LOOK)
def catalogue_entry(request: HttpRequest, wire_type: str) -> HttpResponse:
    """Show one type of event: its documents, its schema and an example of its data."""
    entry = next((one for one in catalogue_reports.entries() if one.type == wire_type), None)
    if entry is None:
        raise Http404
    context = {
        **context_of(request, "bus-catalogue"),
        "title": entry.type,
        "entry": entry,
        "schema": _told(catalogue_reports.schema(wire_type)),
        "example": _told(catalogue_reports.example(wire_type)),
    }
    return render(request, "overview/catalogue_entry.html", context)


def _told(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
