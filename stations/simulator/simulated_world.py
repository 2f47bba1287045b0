"""All simulated cities at the present moment, in the format of JCDecaux's API."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from stations.feeds.cities import LIVE, Contract
from stations.simulator.city import SimulatedStation, stations_of
from stations.simulator.demand_model import DemandModel, Moment, moment

MONDAY = datetime(2024, 1, 1, tzinfo=UTC).timestamp()  # the start of simulated time, the same for every server
HEARTBEAT_SECONDS = 600  # a station reports about this often, whether anything changed or not


class World:
    """The simulated API's answers for one seed. `speed` 1 is each city's real time; at 4 a day passes in six hours.

    `clock` returns the present as POSIX seconds. Times in the answers are real ones at any speed.
    """

    def __init__(
        self,
        *,
        seed: int,
        speed: float = 1.0,
        clock: Callable[[], float] = time.time,
        contracts: Sequence[Contract] = LIVE,
    ) -> None:
        self._speed = speed
        self._contracts = contracts
        self._clock = clock
        self._demand = {
            contract.name: {station.number: DemandModel(station, seed) for station in stations_of(contract, seed)}
            for contract in contracts
        }

    def contracts(self) -> list[dict[str, Any]]:
        return [
            {
                "name": contract.name,
                "commercial_name": contract.commercial_name,
                "country_code": contract.country,
                "cities": [contract.city],
            }
            for contract in self._contracts
        ]

    def stations(self, version: str, contract: str | None = None) -> list[dict[str, Any]] | None:
        """Return all stations, or those of one contract; None when there is no such contract."""
        names = self._demand if contract is None else [contract.casefold()]
        if any(name not in self._demand for name in names):
            return None
        return [row for name in names for row in self._rows(version, self._demand[name].values())]

    def station(self, version: str, contract: str, number: int) -> dict[str, Any] | None:
        demand = self._demand.get(contract.casefold(), {}).get(number)
        return next(self._rows(version, [demand])) if demand else None

    def _rows(self, version: str, city: Iterable[DemandModel]) -> Iterator[dict[str, Any]]:
        now = self._clock()
        seen: Moment | None = None
        for demand in city:
            if seen is None:  # one contract, one time zone
                seen = self._moment(demand.station.contract, now)
            yield _ROW[version](*self._seen(demand, seen, now))

    def _moment(self, contract: Contract, now: float) -> Moment:
        offset = ZoneInfo(contract.zone).utcoffset(datetime.fromtimestamp(now, UTC).replace(tzinfo=None))
        return moment((now - MONDAY) * self._speed, offset.total_seconds() if offset else 0.0)

    def _seen(
        self, demand: DemandModel, seen: Moment, now: float
    ) -> tuple[SimulatedStation, int, bool, bool, datetime | None]:
        """Return a station as its operator last knew it: bikes, open, connected, time of the report."""
        heard = now
        silent_since = demand.silent_since(seen)
        if silent_since is not None:
            heard = now - (seen.seconds - silent_since) / self._speed
            seen = self._moment(demand.station.contract, heard)
        reported = None
        if demand.station.tells_heartbeat:
            phase = demand.station.number * 37 % HEARTBEAT_SECONDS  # not all at once
            reported = datetime.fromtimestamp((heard - phase) // HEARTBEAT_SECONDS * HEARTBEAT_SECONDS + phase, UTC)
        return demand.station, demand.bikes(seen), not demand.is_closed(seen), silent_since is None, reported


def _row_v1(
    station: SimulatedStation, bikes: int, is_open: bool, connected: bool, reported: datetime | None
) -> dict[str, Any]:
    return {
        "number": station.number,
        "contract_name": station.contract.name,
        "name": station.name,
        "address": station.address,
        "position": {"lat": station.lat, "lng": station.lng},
        "banking": station.banking,
        "bonus": False,
        "bike_stands": station.capacity,
        "available_bike_stands": station.usable - bikes,
        "available_bikes": bikes,
        "status": "OPEN" if is_open else "CLOSED",
        "last_update": reported and int(reported.timestamp() * 1000),
    }


def _row_v3(
    station: SimulatedStation, bikes: int, is_open: bool, connected: bool, reported: datetime | None
) -> dict[str, Any]:
    electrical = round(bikes * station.electrical_share)
    stands = {
        "availabilities": {
            "bikes": bikes,
            "stands": station.usable - bikes,
            "mechanicalBikes": bikes - electrical,
            "electricalBikes": electrical,
            "electricalInternalBatteryBikes": electrical,
            "electricalRemovableBatteryBikes": 0,
        },
        "capacity": station.capacity,
    }
    return {
        "number": station.number,
        "contractName": station.contract.name,
        "name": station.name,
        "address": station.address,
        "position": {"latitude": station.lat, "longitude": station.lng},
        "banking": station.banking,
        "bonus": False,
        "status": "OPEN" if is_open else "CLOSED",
        "lastUpdate": reported and reported.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "connected": connected,
        "overflow": False,
        "shape": None,
        "totalStands": stands,
        "mainStands": stands,
        "overflowStands": None,
    }


_ROW: dict[str, Callable[..., dict[str, Any]]] = {"v1": _row_v1, "v3": _row_v3}
VERSIONS = tuple(_ROW)
