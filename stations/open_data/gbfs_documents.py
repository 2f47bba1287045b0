"""The documents of GBFS that tell of stations: station_information, station_status, vehicle_types, system_regions."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from stations.feeds.cities import BY_NAME
from stations.models import Station
from stations.open_data.station_truth import ELECTRICAL, MECHANICAL, status_row
from stations.services.statistics import city_name

VERSIONS = {"3.0": "3.0", "3.1": "3.1-RC3"}  # in addresses, and in documents: 3.1 is a release candidate
INFORMATION_TTL_SECONDS = 300  # names and places change rarely; JCDecaux's own ttl for them
ELECTRICAL_RANGE_METERS = 20_000  # GBFS demands a range, and no source gives one: less than that of any new bike
RANGE_IS_NOMINAL = "The range is nominal: the source gives none."
UNDETERMINED = "und"  # the language of names that may be of any: BCP 47
LANGUAGES = {
    "BE": "fr",
    "ES": "es",
    "FR": "fr",
    "IE": "en",
    "JP": "ja",
    "LT": "lt",
    "LU": "fr",
    "NO": "nb",
    "SE": "sv",
    "SI": "sl",
}


class System(NamedTuple):
    """The stations of one feed that riders may see, as of its last good poll."""

    feed: str
    contract: str | None  # None: of several cities
    stations: Sequence[Station]
    updated_at: datetime  # by the feed's own word, else the time of its last good poll
    ttl_seconds: int  # to the next poll

    @property
    def has_kinds(self) -> bool:
        return any(station.electrical is not None for station in self.stations)


def language_of(contract: str | None) -> str:
    """Return the language of a city's names."""
    return LANGUAGES.get(BY_NAME[contract].country, UNDETERMINED) if contract in BY_NAME else UNDETERMINED


def told(text: str, contract: str | None) -> list[dict[str, str]]:
    """Return a text as GBFS wants it: a list with its language."""
    return [{"text": text, "language": language_of(contract)}]


def envelope(data: Any, *, version: str, updated_at: datetime, ttl_seconds: int) -> dict[str, Any]:
    """Return a whole document around its data."""
    return {"last_updated": updated_at, "ttl": ttl_seconds, "version": VERSIONS[version], "data": data}


def station_information(system: System, version: str) -> dict[str, Any]:
    return {"stations": [_information_row(station, system, version) for station in system.stations]}


def station_status(system: System, version: str) -> dict[str, Any]:
    return {"stations": [status_row(station, with_kinds=system.has_kinds) for station in system.stations]}


def vehicle_types(system: System, version: str) -> dict[str, Any]:
    mechanical = {"vehicle_type_id": MECHANICAL, "form_factor": "bicycle", "propulsion_type": "human"}
    electrical = {
        "vehicle_type_id": ELECTRICAL,
        "form_factor": "bicycle",
        "propulsion_type": "electric_assist",
        "max_range_meters": ELECTRICAL_RANGE_METERS,
        "description": [{"text": RANGE_IS_NOMINAL, "language": "en"}],
    }
    return {"vehicle_types": [mechanical, electrical]}


def system_regions(system: System, version: str) -> dict[str, Any]:
    contracts = sorted({station.contract for station in system.stations})
    return {"regions": [{"region_id": one, "name": told(city_name(one), system.contract)} for one in contracts]}


def _information_row(station: Station, system: System, version: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "station_id": station.station_id,
        "name": told(station.name, system.contract),
        "lat": station.lat,
        "lon": station.lng,
        "region_id": station.contract,
        "is_virtual_station": station.stands is None,
        "capacity": station.capacity,
    }
    if station.number is not None:
        row["short_name"] = told(str(station.number), system.contract)
    if station.address:
        row["address"] = station.address
    if station.banking:
        row["rental_methods"] = ["creditcard"]
    if version != "3.0":
        row["city"] = city_name(station.contract)
    return row


Build = Callable[[System, str], dict[str, Any]]
OF_STATIONS: dict[str, Build] = {
    "station_information": station_information,
    "station_status": station_status,
    "system_regions": system_regions,
    "vehicle_types": vehicle_types,
}


def document(name: str, system: System, version: str) -> dict[str, Any]:
    """Return one of the documents OF_STATIONS."""
    ttl = system.ttl_seconds if name == "station_status" else max(system.ttl_seconds, INFORMATION_TTL_SECONDS)
    data = OF_STATIONS[name](system, version)
    return envelope(data, version=version, updated_at=system.updated_at, ttl_seconds=ttl)
