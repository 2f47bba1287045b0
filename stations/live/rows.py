"""The rows of stations that browsers get, and how frames write their values."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from stations.live.station_view import Change, StationView

STATION_FIELDS = (
    "feed",
    "station_id",
    "number",
    "name",
    "address",
    "lat",
    "lng",
    "status",
    "bikes",
    "mechanical",
    "electrical",
    "stands",
    "capacity",
    "connected",
    "banking",
    "bonus",
    "overflow",
    "bad",
    "state",
    "seen_at",
    "reported_at",
    "polled_at",
)
HAPPENED_FIELDS = ("kinds", "taken", "returned", "taken_electrical", "returned_electrical")  # of a change, never kept
IMPLIED_KINDS = ("taken", "returned")  # their counts say it

Row = tuple[Any, ...]


def station_row(view: StationView) -> Row:
    """Return a station's values in the order of STATION_FIELDS. `seen_at` is known only of an unreadable one."""
    seen_at = view.seen_at if view.bad else None
    return tuple(seen_at if name == "seen_at" else getattr(view, name) for name in STATION_FIELDS)


def happened(change: Change) -> list[Any]:
    """Return what happened at a station as field numbers and values. What is nothing, or unknown, is left out."""
    kinds = [kind for kind in change.kinds if kind not in IMPLIED_KINDS]
    values = (kinds, change.taken, change.returned, change.taken_electrical, change.returned_electrical)
    numbered = enumerate(values, start=len(STATION_FIELDS))
    return [part for number, value in numbered if value for part in (number, value)]


def encoded(value: Any, at: datetime) -> Any:
    """Return a value as frames have it: a time is the milliseconds from it to the frame's own time."""
    return milliseconds(at - value) if isinstance(value, datetime) else value


def milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def epoch_ms(at: datetime) -> int:
    """Return a time as milliseconds since 1970."""
    return milliseconds(at - EPOCH_BEGAN)


EPOCH_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)


def latest(views: Iterable[StationView]) -> datetime:
    """Return the time of the newest of these stations; 1970 for none."""
    return max((view.polled_at for view in views), default=EPOCH_BEGAN)
