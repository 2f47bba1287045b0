"""GBFS, the open format of bike feeds, by discovery: versions 1.x, 2.x, 3.0 and 3.1. It needs no key."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from eventbus import clock
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Fetched, ListedContract, PollFailed
from stations.feeds.formats import gbfs_rows
from stations.feeds.formats.gbfs_rows import Documents
from stations.feeds.http import HttpClient, joined

GBFS_BYTES_MAX = 16 * 2**20  # unpacked; the largest list of stations known, with areas, has some 6 MB
INFORMATION_SECONDS_MIN = 300.0  # names and places change rarely; JCDecaux's own ttl for them
DISCOVERY_SECONDS = 3_600.0  # addresses and vehicle types change with a release of the operator's software
TTL_SECONDS_MAX = 86_400  # a day: a longer ttl is a mistake
STATIONS_MAX = 20_000  # of one feed: each is a row for ever. The largest known system has some 10,000
INFORMATION, STATUS, TYPES, AVAILABILITY = (
    "station_information",
    "station_status",
    "vehicle_types",
    "vehicle_availability",
)


class _Fetched(NamedTuple):
    """A decoded document, and the time until which it is not asked for again, in `time.monotonic` seconds."""

    rows: list[Any]
    until: float
    updated_at: datetime | None


class GbfsFeed:
    """One system's feed. `url` is that of its `gbfs.json`. `numbered`: its ids are the operator's numbers."""

    def __init__(
        self,
        *,
        url: str,
        name: str,
        contract: str,
        numbered: bool = False,
        now: Callable[[], datetime] = clock.now,
        **limits: Any,
    ) -> None:
        self.name = name
        self.contract: str | None = contract
        self._contract = contract
        self.url = url
        self._numbered = numbered
        self._now = now
        self._http = HttpClient(url, name=name, bytes_max=GBFS_BYTES_MAX, is_open=True, **limits)
        self._addresses: dict[str, str] = {}
        self._addresses_until = 0.0
        self._kept: dict[str, _Fetched] = {}
        self._rests: dict[str, float] = {}  # until when an optional document that failed is not asked for

    def fetch(self) -> Fetched:
        """Fetch the status, and what else is due. Raises PollFailed if the answer is missing or unusable."""
        deadline = self._http.deadline()
        try:
            return self._fetched(deadline)
        except PollFailed as failed:
            if failed.reason == Failure.NOT_FOUND:
                self._addresses_until = 0.0  # the operator moved a document: discover anew at the next poll
            raise

    def contracts(self) -> list[ListedContract]:
        """Return nothing: one address is one system."""
        return []

    def close(self) -> None:
        """Do nothing: each answer has a connection of its own."""

    def _fetched(self, deadline: float) -> Fetched:
        self._discover(deadline)
        if missing := {INFORMATION, STATUS} - self._addresses.keys():
            raise PollFailed(Failure.NO_STATIONS, ", ".join(sorted(missing)))
        information = self._document(INFORMATION, "stations", deadline, INFORMATION_SECONDS_MIN)
        asked_at = self._now()
        status = self._document(STATUS, "stations", deadline, 0)
        # What may be missing comes last: it takes only the time that is left.
        types = self._optional(TYPES, "vehicle_types", deadline, DISCOVERY_SECONDS)
        vehicles = self._optional(AVAILABILITY, "vehicles", deadline, 0)
        if not information.rows and not status.rows:
            raise PollFailed(Failure.EMPTY)
        if max(len(information.rows), len(status.rows)) > STATIONS_MAX:
            raise PollFailed(Failure.TOO_LARGE)
        if len(information.rows) < len(status.rows):  # some have no name yet: ask again before the ttl ends
            soon = min(information.until, time.monotonic() + INFORMATION_SECONDS_MIN)
            self._kept[INFORMATION] = information._replace(until=soon)
        documents = Documents(information.rows, status.rows, types and types.rows, vehicles and vehicles.rows, asked_at)
        fetched = gbfs_rows.readings_of(documents, feed=self.name, contract=self._contract, numbered=self._numbered)
        fetched.updated_at = status.updated_at
        if not fetched.readings:
            counted = ", ".join(f"{count} {reason}" for reason, count in sorted(fetched.bad.items()))
            raise PollFailed(Failure.NOTHING_GOOD, counted, faults=fetched.faults)
        return fetched

    def _discover(self, deadline: float) -> None:
        if time.monotonic() < self._addresses_until:
            return
        document = self._ask(self.url, deadline)
        self._addresses = _listed(document.get("data"))
        if not self._addresses:
            raise PollFailed(Failure.NO_STATIONS)
        self._addresses_until = time.monotonic() + DISCOVERY_SECONDS

    def _optional(self, name: str, field: str, deadline: float, seconds_min: float) -> _Fetched | None:
        """Return a document that a system may lack. Without it less is known, but the stations are."""
        if name not in self._addresses:
            return None
        if time.monotonic() < self._rests.get(name, 0.0):
            return self._kept.get(name)
        try:
            return self._document(name, field, deadline, seconds_min)
        except PollFailed as failed:
            self._rests[name] = time.monotonic() + max(INFORMATION_SECONDS_MIN, failed.retry_after_seconds or 0.0)
            return self._kept.get(name)

    def _document(self, name: str, field: str, deadline: float, seconds_min: float) -> _Fetched:
        """Return a document's rows: those of the last answer until its ttl, and at least `seconds_min`, are over."""
        kept = self._kept.get(name)
        if kept and time.monotonic() < kept.until:
            return kept
        document = self._ask(joined(self.url, self._addresses[name]), deadline)
        data = document.get("data")
        rows = data.get(field) if isinstance(data, Mapping) else None
        if not isinstance(rows, list):
            raise PollFailed(Failure.NOT_A_LIST, name)
        until = time.monotonic() + max(seconds_min, ttl_of(document) if seconds_min else 0.0)
        self._kept[name] = _Fetched(rows, until, gbfs_rows.time_of(document.get("last_updated")))
        return self._kept[name]

    def _ask(self, url: str, deadline: float) -> Mapping[str, Any]:
        document = decoded(self._http.get_url(url, deadline))
        if not isinstance(document, Mapping):
            raise PollFailed(Failure.NOT_GBFS)
        return document


def decoded(body: bytes) -> Any:
    """Return the JSON of a body, also of one in which a text holds half a character. Raises PollFailed if it is none.

    The error is not chained to the decoder's, which quotes the answer.
    """
    for decode in (msgspec.json.decode, _decode_broken):
        try:
            return decode(body)
        except (ValueError, RecursionError):
            continue
    raise PollFailed(Failure.NOT_JSON)


def _decode_broken(body: bytes) -> Any:
    return json.loads(body.decode(errors="replace"))


def ttl_of(document: Mapping[str, Any]) -> float:
    """Return the seconds for which a document says that it holds: 0 if it says none, TTL_SECONDS_MAX at most."""
    ttl = document.get("ttl")
    # Compared before it is converted: JSON has numbers that no float holds.
    return float(min(max(ttl, 0), TTL_SECONDS_MAX)) if isinstance(ttl, int | float) else 0.0


def _listed(data: object) -> dict[str, str]:
    """Return the documents' addresses by name. Up to version 2 they stand under each language."""
    if not isinstance(data, Mapping):
        return {}
    listed = data.get("feeds")
    if not isinstance(listed, list):
        languages = {str(name): one.get("feeds") for name, one in data.items() if isinstance(one, Mapping)}
        order = sorted(languages, key=lambda name: (name.casefold() not in gbfs_rows.LANGUAGES, name.casefold()))
        listed = next((feeds for name in order if isinstance(feeds := languages[name], list)), [])
    return {
        one["name"]: one["url"]
        for one in listed
        if isinstance(one, Mapping) and isinstance(one.get("name"), str) and isinstance(one.get("url"), str)
    }
