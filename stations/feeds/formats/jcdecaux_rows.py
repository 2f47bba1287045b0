"""The conversion of a row of JCDecaux's JSON to a reading, or to the reason why it is none. A bad row ends no poll."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from stations.feeds.feed_interface import Bad, Key, Reading, State
from stations.feeds.validation import (
    ADDRESS_LENGTH_MAX,
    NAME_LENGTH_MAX,
    TEXTS_KEPT,
    UNKNOWN_STATUS,
    RowFilter,
    from_iso,
    is_contract,
    is_number,
    meant,
    text_of,
)

STATUS_LENGTH_MAX = 40  # characters; longer ones are cut. The longest real one has 6


class _Head(msgspec.Struct):
    """The fields that identify a row's station, decoded alone if the whole row is unreadable."""

    number: Any = None
    contract_v1: Any = msgspec.field(name="contract_name", default=None)
    contract_v3: Any = msgspec.field(name="contractName", default=None)


class _PositionV1(msgspec.Struct):
    lat: float
    lng: float


class _RowV1(msgspec.Struct):
    number: int
    contract_name: str
    name: str
    position: _PositionV1
    bike_stands: int
    available_bike_stands: int
    available_bikes: int
    status: str | None = None
    address: str | None = None
    banking: Any = None
    bonus: Any = None
    last_update: Any = None


class _PositionV3(msgspec.Struct):
    latitude: float
    longitude: float


class _Availabilities(msgspec.Struct, rename="camel"):
    bikes: int
    stands: int
    mechanical_bikes: int | None = None
    electrical_bikes: int | None = None


class _Stands(msgspec.Struct):
    capacity: int
    availabilities: _Availabilities


class _RowV3(msgspec.Struct, rename="camel"):
    number: int
    contract_name: str
    name: str
    position: _PositionV3
    total_stands: _Stands
    status: str | None = None
    address: str | None = None
    banking: Any = None
    bonus: Any = None
    connected: Any = None
    overflow: Any = None
    last_update: Any = None


class StationIds(NamedTuple):
    """The ids of a feed's stations. A feed of all contracts has several stations of one number."""

    feed: str
    contract: str | None  # the feed's only one

    def key(self, contract: str, number: int) -> Key:
        return Key(self.feed, str(number) if self.contract else f"{contract}-{number}")

    def key_of_bad_row(self, contract: str | None, number: int | None) -> Key | None:
        """Return the key of a row's station, or None if the row does not identify it."""
        contract = self.contract or contract
        if number is None or contract is None or not (is_number(number) and is_contract(contract)):
            return None
        return self.key(contract, number)


Reader = Callable[[msgspec.Raw, StationIds], Reading]
_head = msgspec.json.Decoder(_Head).decode
_row_v1 = msgspec.json.Decoder(_RowV1).decode
_row_v3 = msgspec.json.Decoder(_RowV3).decode


def _read_v1(raw: msgspec.Raw, ids: StationIds) -> Reading:
    row = _row_v1(raw)
    contract = row.contract_name.casefold()
    state = State(
        contract=contract,
        number=row.number,
        name=text_of(row.name, NAME_LENGTH_MAX),
        address=text_of(row.address or "", ADDRESS_LENGTH_MAX),
        lat=row.position.lat,
        lng=row.position.lng,
        status=_status(row.status),
        bikes=row.available_bikes,
        mechanical=None,
        electrical=None,
        stands=row.available_bike_stands,
        capacity=row.bike_stands,
        connected=None,
        banking=_yes_or_no(row.banking),
        bonus=_yes_or_no(row.bonus),
        overflow=None,
    )
    return Reading(ids.key(contract, row.number), state, _from_milliseconds(row.last_update))


def _read_v3(raw: msgspec.Raw, ids: StationIds) -> Reading:
    row = _row_v3(raw)
    contract = row.contract_name.casefold()
    available = row.total_stands.availabilities
    state = State(
        contract=contract,
        number=row.number,
        name=text_of(row.name, NAME_LENGTH_MAX),
        address=text_of(row.address or "", ADDRESS_LENGTH_MAX),
        lat=row.position.latitude,
        lng=row.position.longitude,
        status=_status(row.status),
        bikes=available.bikes,
        mechanical=available.mechanical_bikes,
        electrical=available.electrical_bikes,
        stands=available.stands,
        capacity=row.total_stands.capacity,
        connected=_yes_or_no(row.connected),
        banking=_yes_or_no(row.banking),
        bonus=_yes_or_no(row.bonus),
        overflow=_yes_or_no(row.overflow),
    )
    return Reading(ids.key(contract, row.number), state, from_iso(row.last_update))


READERS: dict[str, Reader] = {"v1": _read_v1, "v3": _read_v3}


def filter_rows(rows: list[msgspec.Raw], read: Reader, ids: StationIds, row_filter: RowFilter) -> None:
    """Give each row to the filter, as a reading or as a refusal with its reason."""
    for row in rows:
        try:
            reading = read(row, ids)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            row_filter.refuse(_reason(error), _station_in(row, ids))
        else:
            row_filter.take(reading)


_FIELDS = {
    "number": Bad.NUMBER,
    "contract_name": Bad.CONTRACT,
    "contractName": Bad.CONTRACT,
    "name": Bad.NAME,
    "address": Bad.NAME,
    "status": Bad.STATUS,
    "position": Bad.COORDINATES,
}
_FIELD_IN_ERROR = re.compile(r"at `\$\.(\w+)|missing required field `(\w+)`$")


def _reason(error: Exception) -> Bad:
    """Return the reason why a row is bad, by the field that msgspec's error names: "... - at `$.position.lat`"."""
    if not isinstance(error, msgspec.ValidationError):
        return Bad.UNREADABLE
    where = _FIELD_IN_ERROR.search(str(error))
    if where is None:
        return Bad.NOT_AN_OBJECT
    return _FIELDS.get(where[1] or where[2], Bad.COUNTS)


def _station_in(raw: msgspec.Raw, ids: StationIds) -> Key | None:
    """Return the key of a bad row's station, or None if the row does not identify it."""
    try:
        head = _head(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    number, contract = head.number, head.contract_v3 or head.contract_v1
    whole = number if isinstance(number, int) and not isinstance(number, bool) else None
    return ids.key_of_bad_row(contract.casefold() if isinstance(contract, str) else None, whole)


@lru_cache(TEXTS_KEPT)
def _status(word: str | None) -> str:
    return text_of(word or "", STATUS_LENGTH_MAX).upper()[:STATUS_LENGTH_MAX] or UNKNOWN_STATUS


def _yes_or_no(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _from_milliseconds(value: object) -> datetime | None:
    if not isinstance(value, int | float):
        return None
    try:
        return meant(datetime.fromtimestamp(value / 1000, UTC))
    except (OverflowError, OSError, ValueError):
        return None
