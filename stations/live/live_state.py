"""The stations as browsers see them: a channel for each city, and one for the world, whose rows are the cities' sums.

This module uses no clock, no database and no socket. Only code on the process's event loop may use it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

import msgspec

from stations.live.channel import Channel, Contracts
from stations.live.city_sums import CITY_FIELDS, CitySums
from stations.live.rows import STATION_FIELDS, latest, station_row
from stations.live.station_view import Change, StationView

EPOCH_BYTES = 6  # random: a client that returns never takes another process's state for its own. In each delta
WORLD = ""  # the world's name in frames: no contract has it

Views = dict[str, StationView]


class LiveState:
    """All stations, by city. `epoch` identifies this object, and `version` counts what happened to it."""

    def __init__(self, views: Iterable[StationView] = (), *, epoch: str | None = None) -> None:
        self.epoch = token_urlsafe(EPOCH_BYTES) if epoch is None else epoch
        self.version = 0
        self._views: Views = {view.id: view for view in views}
        self._sums: dict[str, CitySums] = {}  # by contract
        for view in self._views.values():
            if _is_shown(view):
                self._sums_of(view.contract).put(view.id, view)
        self._at = latest(self._views.values())
        self._cities = {contract: self._begun(contract, city.views) for contract, city in self._sums.items()}
        sums = {contract: row for contract, city in self._sums.items() if (row := city.row())}
        self._world = Channel(WORLD, self.epoch, CITY_FIELDS, sums, self._at)
        self._unsummed: set[str] = set()

    @property
    def contracts(self) -> Collection[str]:
        return self._cities.keys()

    @property
    def has_unsummed(self) -> bool:
        """True if a city changed since the last `sum_up`."""
        return bool(self._unsummed)

    def apply(self, changes: Sequence[Change], *, at: datetime) -> None:
        """Apply changes in their order. `at` is the time of this tick."""
        for change in changes:
            self._put(change, at)
        self.version += 1

    def sum_up(self, *, at: datetime) -> None:
        """Make the sums of the cities that changed."""
        for contract in self._unsummed:
            self._world.put(contract, self._sums_of(contract).row(), at)
        self._unsummed.clear()
        self.version += 1

    def knows(self, name: str) -> bool:
        """Return True for the world, and for a city of which this object has ever had a station."""
        return name == WORLD or name in self._cities

    def channel(self, name: str) -> Channel:
        """Return a city's channel, or the world's. A city that nobody knows has an empty one."""
        if name == WORLD:
            return self._world
        return self._cities.get(name) or self._begun(name, {})

    def stations(self, contracts: Contracts | None = None) -> list[StationView]:
        """Return the stations for riders, neither gone nor held: of these contracts, or all."""
        followed = [city for name, city in self._sums.items() if contracts is None or name in contracts]
        return [view for city in followed for view in city.views.values()]

    def find(self, station_id: str) -> StationView | None:
        """Return a station by its id, also one that is gone."""
        return self._views.get(station_id)

    def written(self, contracts: Contracts | None = None) -> bytes:
        """Return the stations as JSON with all names, and the seq of each channel, for programs."""
        names = [name for name in self.contracts if contracts is None or name in contracts]
        seqs = {name: self._cities[name].seq for name in names} | {WORLD: self._world.seq}
        return msgspec.json.encode({"epoch": self.epoch, "seqs": seqs, "stations": self.stations(contracts)})

    def _put(self, change: Change, at: datetime) -> None:
        view, before = change.view, self._views.get(change.view.id)
        if before and before.contract != view.contract:
            self._replace(before.contract, view.id, None, at)
        self._views[view.id] = view
        self._replace(view.contract, view.id, view if _is_shown(view) else None, at, change)

    def _replace(
        self, contract: str, key: str, view: StationView | None, at: datetime, change: Change | None = None
    ) -> None:
        self._sums_of(contract).put(key, view)
        if contract not in self._cities:
            self._cities[contract] = self._begun(contract, {})
        self._cities[contract].put(key, station_row(view) if view else None, at, change)
        self._unsummed.add(contract)

    def _sums_of(self, contract: str) -> CitySums:
        return self._sums.setdefault(contract, CitySums(contract))

    def _begun(self, contract: str, shown: Views) -> Channel:
        rows = {key: station_row(view) for key, view in shown.items()}
        return Channel(contract, self.epoch, STATION_FIELDS, rows, self._at)


def encode(frame: Mapping[str, Any]) -> str:
    """Return a frame as the text of a socket message."""
    return msgspec.json.encode(frame).decode()


def _is_shown(view: StationView) -> bool:
    """Return True for a station for riders: neither gone nor held."""
    return not (view.gone or view.held)
