"""Stations as the operators' search finds them."""

import re
from collections.abc import Iterator

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from eventbus.journeys.subjects import Subject
from stations.models import Station

STATIONS_MAX = 20  # of one city and number: each of its feeds may have one
SEPARATORS_MAX = 8  # colons and slashes looked at: a feed's name has one at most, a station's id may have more
NUMBER = re.compile(r"\d{1,9}", re.ASCII)


def find(text: str) -> Iterator[Subject]:
    """Yield the stations that are written as "jcdecaux:lyon:2010", an event's key, or as "lyon/2010"."""
    text = text.strip()
    ways = [_written(text[: at.start()], text[at.end() :]) for at in re.finditer("[:/]", text)][:SEPARATORS_MAX]
    wanted = Q(pk__in=[])
    for way in ways:
        wanted |= way
    for one in Station.objects.filter(wanted).order_by("feed", "station_id")[:STATIONS_MAX] if ways else ():
        yield Subject(
            title=_("Station %(name)s") % {"name": one.name},
            keys=(f"{one.feed}:{one.station_id}",),
            permission="stations.view_station",
            page=reverse("admin:stations_station_change", args=[one.pk]),
        )


def _written(before: str, after: str) -> Q:
    """Return the condition on a station of this feed and id, or of this city and number."""
    of_feed = Q(feed=before.casefold(), station_id=after)
    return of_feed | Q(contract=before.casefold(), number=int(after)) if NUMBER.fullmatch(after) else of_feed
