"""The fragments of other apps on a station's page. The stations know none of these apps: the settings name a class."""

from collections.abc import Callable
from typing import Any, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from stations.live.live_state import StationView


class PageFragments(Protocol):
    """The fragments of one open page, which `wake` its socket when `take` has something for it."""

    def open(self) -> None: ...

    def take(self) -> dict[str, Any]: ...

    async def close(self) -> None: ...


def of_station(station: StationView, scope: Any, *, wake: Callable[[], None]) -> PageFragments | None:
    """Return the fragments of a station's page for a socket's visitor; None where the settings name none."""
    if not settings.STATIONS_PAGE_FRAGMENTS:
        return None
    fragments = import_string(settings.STATIONS_PAGE_FRAGMENTS)
    return cast(PageFragments, fragments("station", (station.contract, station.number), scope, wake=wake))
