"""The conversion of GBFS documents to readings: versions 1.x, 2.x, 3.0 and 3.1. A bad row ends no poll."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from stations.feeds.feed_interface import Bad, Fetched, Key, Reading, State
from stations.feeds.validation import (
    ADDRESS_LENGTH_MAX,
    NAME_LENGTH_MAX,
    OPEN,
    RowFilter,
    from_iso,
    is_station_id,
    meant,
    text_of,
)

CLOSED = "CLOSED"
LANGUAGES = ("en", "fr")  # of names given in several languages: the site's own first, then by the alphabet
ELECTRIC = ("electric_assist", "electric")  # propulsion types of GBFS that need no legs, or fewer
ELECTRIC_WORDS = ("electric", "ebike", "e-bike", "boost")  # in the id of a type whose propulsion is not given
MECHANICAL_WORDS = ("mechanical", "classic", "human", "iconic")

Row = Mapping[str, Any]


class Documents(NamedTuple):
    """The decoded rows of one poll. `types` is None without a list of vehicle types."""

    information: list[Any]
    status: list[Any]
    types: list[Any] | None = None
    vehicles: list[Any] | None = None  # of `vehicle_availability`
    asked_at: datetime = datetime.min.replace(tzinfo=UTC)


def readings_of(documents: Documents, *, feed: str, contract: str, numbered: bool) -> Fetched:
    """Join information and status by id. `numbered`: the ids are the operator's own numbers."""
    row_filter = RowFilter(contract=contract, believes_sums=True)
    informed = _by_id(documents.information, feed, row_filter)
    statuses = _by_id(documents.status, feed, row_filter)
    electric = _electric_types(documents.types)
    at_station = _available_now(documents.vehicles, documents.asked_at)
    for station_id, row in informed.items():
        key = Key(feed, station_id)
        status = statuses.get(station_id)
        if status is None:
            row_filter.refuse(Bad.NO_STATUS, key)
            continue
        try:
            state = _state(row, status, electric, at_station.get(station_id), contract, station_id, numbered)
        except _Unusable as unusable:
            row_filter.refuse(unusable.reason, key)
        else:
            row_filter.take(Reading(key, state, time_of(status.get("last_reported"))))
    for station_id in statuses.keys() - informed.keys():
        row_filter.refuse(Bad.NO_INFORMATION, Key(feed, station_id))
    return row_filter.fetched()


class _Unusable(ValueError):
    """A row cannot be a reading. Holds the reason."""

    def __init__(self, reason: Bad) -> None:
        super().__init__(reason)
        self.reason = reason


def id_of(row: object) -> str | None:
    """Return a row's station id as text. Version 1 allows whole numbers."""
    value = row.get("station_id") if isinstance(row, Mapping) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value.strip() if isinstance(value, str) and is_station_id(value.strip()) else None


def _by_id(rows: Iterable[Any], feed: str, row_filter: RowFilter) -> dict[str, Row]:
    """Return the first row of each id, and count the others as bad."""
    found: dict[str, Row] = {}
    for row in rows:
        station_id = id_of(row)
        if station_id is None:
            row_filter.refuse(Bad.ID if isinstance(row, Mapping) else Bad.NOT_AN_OBJECT, None)
        elif station_id in found:
            row_filter.refuse(Bad.DUPLICATE, Key(feed, station_id))
        else:
            found[station_id] = row
    return found


def _state(
    row: Row,
    status: Row,
    electric: dict[str, bool],
    counted: int | None,
    contract: str,
    station_id: str,
    numbered: bool,
) -> State:
    bikes = _count(_first(status, "num_vehicles_available", "num_bikes_available"), counted)
    stands = None if status.get("num_docks_available") is None else _count(status["num_docks_available"])
    electrical = _electrical(status, electric, bikes)
    name = text_of(words_of(row.get("name")), NAME_LENGTH_MAX)
    if not name and bikes > 0:
        name = station_id  # somebody can ride from here, so it is shown
    is_open = _is_true(status.get("is_installed")) and _is_true(status.get("is_renting"))
    return State(
        contract=contract,
        number=int(station_id) if numbered and station_id.isdecimal() and station_id.isascii() else None,
        name=name,
        address=text_of(words_of(row.get("address")), ADDRESS_LENGTH_MAX),
        lat=_degrees(row.get("lat")),
        lng=_degrees(row.get("lon")),
        status=OPEN if is_open else CLOSED,
        bikes=bikes,
        mechanical=None if electrical is None else max(bikes - electrical, 0),
        electrical=electrical,
        stands=stands,
        capacity=_capacity(row, status, bikes, stands),
        connected=None,
        banking=None,
        bonus=None,
        overflow=None,
    )


def words_of(value: object) -> str:
    """Return a text, or the one of several languages that comes first for this site, in whatever order."""
    if not isinstance(value, list):
        return value if isinstance(value, str) else ""
    told = {
        str(one.get("language", "")).casefold(): one["text"]
        for one in value
        if isinstance(one, Mapping) and isinstance(one.get("text"), str)
    }
    for language in LANGUAGES:
        for given in sorted(told):
            if given == language or given.startswith(f"{language}-"):
                return str(told[given])
    return str(told[min(told)]) if told else ""


def time_of(value: object) -> datetime | None:
    """Return a time of any version: POSIX seconds, as a number or text, or RFC 3339. The words for "never" are None."""
    if isinstance(value, str) and not value.strip().lstrip("-").isdecimal():
        return from_iso(value)
    try:
        return meant(datetime.fromtimestamp(float(value), UTC))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _first(row: Row, *names: str) -> object:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _count(value: object, otherwise: int | None = None) -> int:
    if value is None and otherwise is not None:
        return otherwise
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Unusable(Bad.COUNTS)
    if value < 0:
        raise _Unusable(Bad.COUNTS_RANGE)
    return value


def _degrees(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # some feeds write "45.7"
    except (TypeError, ValueError, OverflowError):
        raise _Unusable(Bad.COORDINATES) from None


def _is_true(value: object) -> bool:
    """Return a boolean of any version: true, 1, "1". A field that is left out means that nothing is wrong."""
    return True if value is None else value in (True, 1, "1", "true", "True")


def _capacity(row: Row, status: Row, bikes: int, stands: int | None) -> int:
    given = row.get("capacity")
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    disabled = [status.get(f"num_{what}_disabled") for what in ("docks", "bikes", "vehicles")]
    return bikes + (stands or 0) + sum(one for one in disabled if isinstance(one, int) and one > 0)


def _electric_types(types: list[Any] | None) -> dict[str, bool]:
    """Return for each vehicle type whether it is electric, as far as the feed says so."""
    rows = [row for row in types or [] if isinstance(row, Mapping)]
    return {str(row.get("vehicle_type_id")): row.get("propulsion_type") in ELECTRIC for row in rows}


def _electrical(status: Row, electric: dict[str, bool], bikes: int) -> int | None:
    """Return the number of electric bikes, or None if the feed does not separate the kinds."""
    by_type = status.get("vehicle_types_available")
    known = {**_guessed(by_type), **electric} if isinstance(by_type, list) else {}
    if isinstance(by_type, list) and (by_type or not bikes) and known:
        counts = [_kind(row, known) for row in by_type if isinstance(row, Mapping)]
        return None if None in counts else min(sum(one for one in counts if one), bikes)
    told = status.get("num_bikes_available_types")  # of Barcelona and others, in version 1
    parts = [told] if isinstance(told, Mapping) else told if isinstance(told, list) else []
    for part in parts:
        if isinstance(part, Mapping) and isinstance(part.get("ebike"), int):
            return min(max(int(part["ebike"]), 0), bikes)
    ebikes = status.get("num_ebikes_available")
    return min(ebikes, bikes) if isinstance(ebikes, int) and ebikes >= 0 else None


def _guessed(by_type: list[Any]) -> dict[str, bool]:
    """Return the kinds of types that say so in their id, such as JCDecaux's "mechanical" and "electrical"."""
    found = {}
    for row in by_type:
        name = str(row.get("vehicle_type_id", "")) if isinstance(row, Mapping) else ""
        if any(word in name.casefold() for word in ELECTRIC_WORDS):
            found[name] = True
        elif any(word in name.casefold() for word in MECHANICAL_WORDS):
            found[name] = False
    return found


def _kind(row: Row, known: Mapping[str, bool]) -> int | None:
    """Return the row's electric bikes, 0 for mechanical ones, None for an unknown kind."""
    count = _count(row.get("count"), 0)
    if count == 0:
        return 0
    is_electric = known.get(str(row.get("vehicle_type_id")))
    return None if is_electric is None else count * is_electric


def _available_now(vehicles: list[Any] | None, now: datetime) -> dict[str, int]:
    """Count the vehicles of each station that `vehicle_availability` gives as free now, for a status without counts."""
    counted: dict[str, int] = {}
    for row in vehicles or []:
        station_id = id_of(row)
        if station_id is not None:
            counted[station_id] = counted.get(station_id, 0) + _is_free(row.get("availabilities"), now)
    return counted


def _is_free(spans: object, now: datetime) -> bool:
    for span in spans if isinstance(spans, list) else []:
        if not isinstance(span, Mapping):
            continue
        begins, ends = time_of(span.get("from")), time_of(span.get("until"))
        if begins is not None and begins <= now and (ends is None or now < ends):
            return True
    return False
