"""A station as this process knows it, and a change to it."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from stations.events import StationChanged
from stations.feeds.validation import OPEN, UNKNOWN_STATUS
from stations.models import Station


class RowState(StrEnum):
    """The state of a station by its own row. All of them are old while their feed is not good."""

    FRESH = "fresh"  # open, and its row is as of the feed's last good poll
    CLOSED = "closed"
    STALE = "stale"  # open, but not connected to its operator: its counts are old
    UNKNOWN = "unknown"  # without a status
    FROZEN = "frozen"  # its row turned bad: the figures are the last good ones
    HELD = "held"  # in quarantine


def state_of(told: Station | StationChanged) -> RowState:
    """Return the state of a station by its row or its event."""
    if told.held:
        return RowState.HELD
    if told.bad:
        return RowState.FROZEN
    if told.status == UNKNOWN_STATUS:
        return RowState.UNKNOWN
    if told.status != OPEN:
        return RowState.CLOSED
    return RowState.STALE if told.connected is False else RowState.FRESH


class StationView(msgspec.Struct, frozen=True, gc=False):
    """One station as a browser gets it. `id` is `feed/station_id`; times are UTC."""

    id: str
    feed: str
    station_id: str
    contract: str
    number: int | None
    version: int
    name: str
    address: str
    lat: float
    lng: float
    status: str
    bikes: int
    mechanical: int | None
    electrical: int | None
    stands: int | None
    capacity: int
    connected: bool | None
    banking: bool | None
    bonus: bool | None
    overflow: bool | None
    gone: bool
    held: str
    bad: str
    state: str
    seen_at: datetime | None
    reported_at: datetime | None
    polled_at: datetime

    @classmethod
    def of(cls, told: Station | StationChanged) -> "StationView":
        """Return the view of a row or of an event: both have the same field names."""
        made = ("id", "state")
        values = {name: getattr(told, name) for name in cls.__struct_fields__ if name not in made}
        return cls(state=state_of(told).value, id=f"{told.feed}/{told.station_id}", **values)


class Change(NamedTuple):
    """A station's new state. The other fields say what happened to it, and are only shown."""

    view: StationView
    kinds: tuple[str, ...] = ()
    taken: int = 0
    returned: int = 0
    taken_electrical: int | None = None
    returned_electrical: int | None = None

    def after(self, earlier: "Change") -> "Change":
        """Merge both changes into one: the last state, the differences added up, each kind once."""
        return Change(
            self.view,
            tuple(dict.fromkeys((*earlier.kinds, *self.kinds))),
            earlier.taken + self.taken,
            earlier.returned + self.returned,
            _sum(earlier.taken_electrical, self.taken_electrical),
            _sum(earlier.returned_electrical, self.returned_electrical),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
