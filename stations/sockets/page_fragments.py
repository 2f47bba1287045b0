"""The fragments of a station's page: parts of the page that other apps draw.

The stations import none of these apps. The setting STATIONS_PAGE_FRAGMENTS names the class that collects the
fragments.
"""

from collections.abc import Callable
from typing import Any, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from stations.live.station_view import StationView


class PageFragments(Protocol):
    """The interface of that class. It stands for one open page, and calls `wake` when `take` has fragments to send."""

    def open(self) -> None: ...

    def take(self) -> dict[str, Any]: ...

    async def close(self) -> None: ...


def of_station(station: StationView, scope: Any, *, wake: Callable[[], None]) -> PageFragments | None:
    """Return the fragments of a station's page for a socket's visitor, or None if the setting is empty."""
    if not settings.STATIONS_PAGE_FRAGMENTS:
        return None
    fragments = import_string(settings.STATIONS_PAGE_FRAGMENTS)
    return cast(PageFragments, fragments("station", (station.feed, station.station_id), scope, wake=wake))
