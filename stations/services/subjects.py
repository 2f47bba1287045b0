"""Stations as the operators' search finds them."""

import re
from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _

from eventbus.journeys.subjects import Subject
from stations.models import Station

STATIONS_MAX = 20  # of one city and number: each of its feeds may have one
KEY = re.compile(
    r"(?:(?P<source>[^:/]+)[:/])?(?P<contract>[^:/]+)[:/](?P<number>\d{1,9})"
)  # an event's key has a source


def find(text: str) -> Iterator[Subject]:
    """Yield the station that is written as "lyon/2010" or "jcdecaux:lyon:2010"."""
    written = KEY.fullmatch(text.strip().casefold())
    if written is None:
        return
    stations = Station.objects.filter(contract=written["contract"], number=int(written["number"]))
    if written["source"]:
        stations = stations.filter(source=written["source"])
    for one in stations[:STATIONS_MAX]:
        yield Subject(
            title=_("Station %(name)s") % {"name": one.name},
            keys=(f"{one.source}:{one.contract}:{one.number}",),
            permission="stations.view_station",
            page=reverse("admin:stations_station_change", args=[one.pk]),
        )
