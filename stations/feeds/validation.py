"""A filter that keeps good readings and counts impossible ones, for any feed."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from statistics import median

from stations.feeds.feed_interface import Bad, Fetched, Key, Reading, State
from stations.feeds.quarantine import Hold, held, hold_of

STATION_ID_LENGTH_MAX = 100  # characters; with its feed's name it is an event's key, which has at most 200
NUMBER_MAX = 2**31 - 1  # the largest integer of PostgreSQL; real ones have five digits
COUNT_MAX = 10_000  # bikes or stands of one station; the largest real one has below 200
CONTRACT_LENGTH_MAX = 60  # characters; the longest real one has 12
CONTRACTS_KEPT = 256  # checked names; there are some 30
CITY_RADIUS_DEGREES = 1.0  # about 110 km: wider than a city, and test benches stand in the operator's own
FAR_SHARE_MAX = 0.1  # of a feed's stations: with more outside, the service is of a region or a country
CITY_STATIONS_MIN = 5  # stations; the median of fewer does not show where a city is

OPEN = "OPEN"
UNKNOWN_STATUS = "UNKNOWN"  # the status of a station without a status word

_NAMELESS = (Bad.NUMBER, Bad.ID, Bad.CONTRACT)  # the row does not say which station it is about
NAME_LENGTH_MAX = 200  # characters; longer ones are cut. The longest real one has 48
ADDRESS_LENGTH_MAX = 300  # characters; longer ones are cut. The longest real one has 93
TEXTS_KEPT = 16_384  # cleaned texts: the same 5,000 come with each poll of the whole world; some 3 MB

# Feeds write "never" in several ways; no real report is older than JCDecaux's API itself.
REPORTED_SINCE = datetime(2016, 1, 1, tzinfo=UTC)
REPORTED_UNTIL = datetime(2100, 1, 1, tzinfo=UTC)  # later is a mistake, and near the last year sums overflow

_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u115f\u1160\u200b-\u200f\u2028-\u202e\u2060-\u2069\u2800\u3164\ufeff\uffa0\ud800-\udfff]"
)
_CONTRACT = re.compile(rf"[\w.' -]{{1,{CONTRACT_LENGTH_MAX}}}")


class RowFilter:
    """A filter that takes an answer row by row, keeps the good readings, and counts the rest by reason.

    `contract`: the only contract that the answer may contain; None allows all. `believes_sums`: the feed's capacity
    need not hold all bikes and free stands, since its operator takes bikes beyond it, or has none.
    """

    def __init__(self, *, contract: str | None, believes_sums: bool = False) -> None:
        self._contract = contract
        self._believes_sums = believes_sums
        self._readings: dict[Key, Reading] = {}
        self._bad: Counter[str] = Counter()
        self._faults: dict[Key, Bad] = {}
        self._listed: set[Key] = set()
        self._complete = True

    def take(self, reading: Reading) -> None:
        bad = self._fault(reading)
        if bad is None:
            reason = hold_of(reading.state)
            self._readings[reading.key] = held(reading, reason) if reason else reading
            self._listed.add(reading.key)
        else:
            self.refuse(bad, None if bad in _NAMELESS else reading.key)

    def refuse(self, reason: Bad, key: Key | None) -> None:
        """Count a row that is no reading. `key` is None if the row does not identify its station."""
        if key is None:
            self._bad[reason] += 1
            self._complete = False
        else:
            self._count(reason, key)
            self._listed.add(key)

    def fetched(self) -> Fetched:
        """Return all good readings. Those that are no stations for riders are held."""
        for key in _far_away(reading for reading in self._readings.values() if not reading.state.held):
            self._readings[key] = held(self._readings[key], Hold.FAR_AWAY.value)
        faults = {key: reason for key, reason in self._faults.items() if key not in self._readings}
        return Fetched(list(self._readings.values()), self._bad, self._listed, self._complete, faults)

    def _count(self, reason: Bad, key: Key) -> None:
        self._bad[reason] += 1
        self._faults.setdefault(key, reason)

    def _fault(self, reading: Reading) -> Bad | None:
        key, state = reading.key, reading.state
        if state.number is not None and not is_number(state.number):
            return Bad.NUMBER
        if not is_station_id(key.station_id):
            return Bad.ID
        if self._contract is None:
            if not is_contract(state.contract):
                return Bad.CONTRACT
        elif state.contract != self._contract:
            return Bad.OTHER_CONTRACT
        if key in self._readings:
            return Bad.DUPLICATE
        return _fault_of(state) or (None if self._believes_sums else _fault_of_sum(state))


def is_number(number: int) -> bool:
    return 0 < number <= NUMBER_MAX


def is_station_id(text: str) -> bool:
    """Return True if this text can be a part of keys and addresses: a browser drops "." and ".." from an address."""
    if not 0 < len(text) <= STATION_ID_LENGTH_MAX or not text.isprintable() or text != text.strip():
        return False
    return text.strip(".") != "" and not any(part in (".", "..") for part in text.split("/"))


@lru_cache(CONTRACTS_KEPT)
def is_contract(contract: str) -> bool:
    return _CONTRACT.fullmatch(contract) is not None


def _fault_of(state: State) -> Bad | None:
    if not state.name:
        return Bad.NAME
    if not (-90 <= state.lat <= 90 and -180 <= state.lng <= 180):
        return Bad.COORDINATES
    counts = (state.bikes, state.stands or 0, state.capacity, state.mechanical or 0, state.electrical or 0)
    if min(counts) < 0 or max(counts) > COUNT_MAX:
        return Bad.COUNTS_RANGE
    if state.capacity == 0 and state.status == OPEN and not (state.bikes or state.stands):
        return Bad.NO_STANDS
    return None


def _fault_of_sum(state: State) -> Bad | None:
    # Bikes and free stands together are often fewer than the capacity, since some stands are broken. They are more only
    # where the station takes bikes beyond its stands.
    stands = state.stands or 0
    if stands > state.capacity or (not state.overflow and state.bikes + stands > state.capacity):
        return Bad.SUM
    return None


def text_of(text: str, length_max: int) -> str:
    """Return the text without control characters, padding and line ends, which feeds do send."""
    return _cleaned(text[: 4 * length_max], length_max)  # no text of megabytes is kept


@lru_cache(TEXTS_KEPT)
def _cleaned(text: str, length_max: int) -> str:
    if not text.isprintable():
        text = _CONTROLS.sub(" ", text)
    return " ".join(text.split())[:length_max].rstrip()


def from_iso(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        when = datetime.fromisoformat(value)
        return meant(when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC))
    except (OverflowError, ValueError):
        return None


def meant(when: datetime) -> datetime | None:
    return when if REPORTED_SINCE <= when < REPORTED_UNTIL else None


def _far_away(readings: Iterable[Reading]) -> list[Key]:
    by_contract: dict[str, list[Reading]] = {}
    for reading in readings:
        by_contract.setdefault(reading.state.contract, []).append(reading)
    far = []
    for city in by_contract.values():
        if len(city) >= CITY_STATIONS_MIN:
            lat = median([reading.state.lat for reading in city])
            lng = median([reading.state.lng for reading in city])
            lng_radius = CITY_RADIUS_DEGREES / max(math.cos(math.radians(lat)), 0.01)  # degrees get narrower northwards
            outside = [
                reading.key
                for reading in city
                if abs(reading.state.lat - lat) > CITY_RADIUS_DEGREES or abs(reading.state.lng - lng) > lng_radius
            ]
            if len(outside) <= max(1, len(city) * FAR_SHARE_MAX):
                far += outside
    return far
