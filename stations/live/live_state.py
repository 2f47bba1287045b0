"""The stations as browsers see them: their state, numbered changes, and frames encoded once for all clients.

This module uses no clock, no database and no socket. Only code on the process's event loop may use it.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from stations.events import StationChanged
from stations.feeds.validation import OPEN, UNKNOWN_STATUS
from stations.models import Station

CHANGES_KEPT_MAX = 20_000  # an hour of the whole world at rush hour (5.3 changes a second); about 10 MB
FRAMES_KEPT_MAX = 64  # encoded frames per tick: one serves all clients that keep pace, the rest serve slow ones

Contracts = frozenset[str] | None  # the contracts a socket follows; None is all


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


class Delta(NamedTuple):
    """An encoded frame. `empty`: it holds no station."""

    text: str
    empty: bool


class LiveState:
    """The state of all stations at `seq`, and the last changes that led there.

    `seq` counts changes; `epoch` identifies this object. A client at an earlier `seq` of the same `epoch` gets all
    later changes in one frame with absolute values. So it needs no queue. The window holds only the last
    `changes_kept_max` changes; an older client needs a snapshot.
    """

    def __init__(
        self, views: Iterable[StationView] = (), *, epoch: str | None = None, changes_kept_max: int = CHANGES_KEPT_MAX
    ) -> None:
        self.epoch = uuid4().hex if epoch is None else epoch
        self.seq = 0
        self._views = {view.id: view for view in views}
        self._changes_kept_max = changes_kept_max
        self._changes: deque[Change] = deque(maxlen=changes_kept_max)
        self._frames: OrderedDict[tuple[Contracts, int | None], Delta] = OrderedDict()
        self._at = ""

    def apply(self, changes: Sequence[Change], *, at: datetime) -> None:
        """Apply changes in their order. `at` is the time of this tick, sent with every delta that ends here."""
        for change in changes:
            self._views[change.view.id] = change.view
        self._changes.extend(changes)
        self.seq += len(changes)
        self._at = at.isoformat()
        self._frames.clear()

    def reaches(self, seq: int) -> bool:
        """Return True if the window still holds every change after `seq`."""
        return self.seq - len(self._changes) <= seq <= self.seq

    def well_reaches(self, seq: int) -> bool:
        """Return True if a client at `seq` lags by at most half of the changes that the window can hold."""
        return self.seq - seq <= self._changes_kept_max // 2

    def stations(self, contracts: Contracts = None) -> list[StationView]:
        return [view for view in self._views.values() if _is_shown(view) and _follows(contracts, view)]

    def find(self, station_id: str) -> StationView | None:
        """Return a station by its id, also one that is gone."""
        return self._views.get(station_id)

    def snapshot(self, contracts: Contracts = None) -> str:
        """Return the `snapshot` frame: every station that is neither gone nor held."""
        return self._frame((contracts, None)).text

    def delta(self, contracts: Contracts, *, after: int, prev: int | None = None) -> Delta:
        """Return the `delta` frame of all changes after `after`; `reaches(after)` must be True.

        `prev`: the last seq sent to the client, if lower than `after`. No change between the two concerned the client's
        contracts.
        """
        if prev is None or prev == after:
            return self._frame((contracts, after))
        return self._delta(contracts, after, prev)

    def _frame(self, wanted: tuple[Contracts, int | None]) -> Delta:
        """Return a frame. Each distinct frame is encoded once until the next change."""
        if (made := self._frames.get(wanted)) is not None:
            self._frames.move_to_end(wanted)
            return made
        contracts, after = wanted
        frame = self._snapshot(contracts) if after is None else self._delta(contracts, after, after)
        self._frames[wanted] = frame
        if len(self._frames) > FRAMES_KEPT_MAX:
            self._frames.popitem(last=False)
        return frame

    def _snapshot(self, contracts: Contracts) -> Delta:
        stations = self.stations(contracts)
        told = {"type": "snapshot", "epoch": self.epoch, "seq": self.seq, "stations": stations}
        return Delta(encode(told), empty=not stations)

    def _delta(self, contracts: Contracts, after: int, prev: int) -> Delta:
        last: dict[str, Change] = {}
        for change in self._since(after):
            if _follows(contracts, change.view):
                earlier = last.get(change.view.id)
                last[change.view.id] = change.after(earlier) if earlier else change
        told = {
            "type": "delta",
            "epoch": self.epoch,
            "seq": self.seq,
            "prev": prev,
            "at": self._at,
            "changes": [_told(change) for change in last.values() if _is_shown(change.view)],
            "removed": [key for key, change in last.items() if not _is_shown(change.view)],
        }
        return Delta(encode(told), empty=not last)

    def _since(self, seq: int) -> list[Change]:
        newest_first = list(islice(reversed(self._changes), self.seq - seq))
        return newest_first[::-1]


def encode(frame: Mapping[str, Any]) -> str:
    """Return a frame as the text of a socket message."""
    return msgspec.json.encode(frame).decode()


def _told(change: Change) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(change.view),
        "kinds": change.kinds,
        "taken": change.taken,
        "returned": change.returned,
        "taken_electrical": change.taken_electrical,
        "returned_electrical": change.returned_electrical,
    }


def _is_shown(view: StationView) -> bool:
    """Return True for a station for riders: neither gone nor held."""
    return not (view.gone or view.held)


def _follows(contracts: Contracts, view: StationView) -> bool:
    return contracts is None or view.contract in contracts


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
