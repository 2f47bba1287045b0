"""The interface of feeds: their answers, and the changes from the recorded state to an answer.

The module uses no clock, no database and no network.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from stations.events import Kind
from stations.feeds.texts import gettext_noop as _

SHIFT_DEGREES_MAX = 0.005  # of latitude 550 m: a station that is rebuilt stays in its street, a mixed-up row does not


class Key(NamedTuple):
    """The key of a station: the name of its feed, and its id there, which may be any text."""

    feed: str
    station_id: str


class State(msgspec.Struct, frozen=True, gc=False):
    """The part of a reading that is compared to find changes. It holds no time: heartbeats come without changes."""

    contract: str  # case-folded: the city under which pages show it
    number: int | None  # the operator's own number, if its stations have numbers
    name: str
    address: str  # "" when unknown
    lat: float
    lng: float
    status: str
    bikes: int
    mechanical: int | None
    electrical: int | None
    stands: int | None  # free; None: the operator counts none, bikes stand anywhere
    capacity: int
    connected: bool | None
    banking: bool | None
    bonus: bool | None
    overflow: bool | None
    gone: bool = False
    held: str = ""  # the reason it is kept apart from the stations for riders, a word of `Hold`
    bad: str = ""  # the reason its last row is unreadable, a word of `Bad`; the rest is the last readable state


class Reading(msgspec.Struct, frozen=True):
    """One station as a feed gave it. `reported_at` is the station's heartbeat: for display, never for order."""

    key: Key
    state: State
    reported_at: datetime | None


class Held(NamedTuple):
    """One station as last recorded."""

    version: int
    state: State
    reported_at: datetime | None


class Change(msgspec.Struct, frozen=True):
    """One station's next version and its differences from the last."""

    key: Key
    version: int
    kinds: tuple[Kind, ...]
    state: State
    reported_at: datetime | None
    taken: int = 0
    returned: int = 0
    taken_electrical: int | None = None  # None: this feed does not separate the kinds
    returned_electrical: int | None = None
    seen_at: datetime | None = None  # the last poll that saw its row good, of a change that says that it is not now
    shifted: bool = False  # its place is another than before, by more than SHIFT_DEGREES_MAX


class Bad(StrEnum):
    """A reason to leave out a row of a feed's answer. Pages show the translation of these words."""

    NOT_AN_OBJECT = _("not an object")
    NUMBER = _("number missing or not a whole number above zero")
    ID = _("id missing, too long or not readable")
    DUPLICATE = _("given twice")
    CONTRACT = _("contract missing or not a name")
    OTHER_CONTRACT = _("of another contract")
    NAME = _("name or address not text")
    STATUS = _("status not text")
    COORDINATES = _("coordinates missing or not on Earth")
    COUNTS = _("counts missing or not whole numbers")
    COUNTS_RANGE = _("counts negative or beyond belief")
    SUM = _("more bikes and free stands than stands")
    NO_STANDS = _("open without any stand")
    NO_INFORMATION = _("without name and place")
    NO_STATUS = _("without counts")
    UNREADABLE = _("not readable")


class Fetched(msgspec.Struct):
    """A feed's whole answer. `listed`: all stations in it, also those with a bad row only, since they still exist.

    `bad` counts the bad rows by reason. `complete` is False when a bad row does not identify its station: then no
    station may count as gone. `faults` holds the reason for each station that has a bad row and no good one.
    """

    readings: list[Reading]
    bad: Counter[str]
    listed: set[Key]
    complete: bool = True
    faults: dict[Key, Bad] = {}
    updated_at: datetime | None = None  # when the feed made this answer, by its own word


class ListedContract(NamedTuple):
    """One contract that a feed offers; closed ones stay listed. `name` is case-folded."""

    name: str
    commercial_name: str | None
    country: str | None
    cities: tuple[str, ...]


class PollFailed(Exception):
    """The feed gave nothing usable. `reason` says why and what to do; `detail` helps to find the cause.

    Both are free of URLs, keys and data of the feed. `retry_after_seconds` is the wait that the feed demands. `faults`:
    as in `Fetched`, when an answer has no good row.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        retry_after_seconds: float | None = None,
        faults: Mapping[Key, Bad] | None = None,
    ) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
        self.faults = faults or {}

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


class Feed(Protocol):
    """A source of stations, such as JCDecaux's API for Lyon.

    `name` is the first part of each station's `Key`. `contract` is the one city that the feed covers; None if it covers
    all. `url` is the address that the feed asks. It never contains the key of JCDecaux's API. The address of another
    feed may contain a token: mask it before you log or record it.
    """

    @property
    def name(self) -> str: ...  # "jcdecaux:lyon"

    @property
    def contract(self) -> str | None: ...  # "lyon"; None for all

    @property
    def url(self) -> str: ...

    def fetch(self) -> Fetched:
        """Poll once. Raises PollFailed if the answer is missing or unusable."""

    def contracts(self) -> list[ListedContract]:
        """List the contracts on offer. Raises PollFailed if the answer is missing or unusable."""

    def close(self) -> None: ...


def updated_at(fetched: Fetched, asked_at: datetime) -> datetime | None:
    """Return when the feed made this answer: by its own word, else by the newest report of a station in it.

    It is not later than `asked_at`: a clock that is ahead makes no answer newer.
    """
    reported = (reading.reported_at for reading in fetched.readings if reading.reported_at is not None)
    told = fetched.updated_at or max(reported, default=None)
    return told and min(told, asked_at)


def diff(held: Mapping[Key, Held], fetched: Fetched) -> list[Change]:
    """Return the changes from `held`, the recorded state of all stations of this feed, to `fetched`.

    A station is gone only when a complete answer with at least one good reading does not list it.
    """
    changes = []
    for reading in fetched.readings:
        before = held.get(reading.key)
        if before is None:
            changes.append(_appeared(reading, version=1))
        elif before.state.gone:
            changes.append(_appeared(reading, version=before.version + 1))
        elif before.state != reading.state:
            changes.append(_changed(before, reading))
    changes.extend(unreadable(held, fetched.faults))
    if fetched.complete and fetched.readings:
        changes.extend(_gone(held, fetched.listed))
    return changes


def _appeared(reading: Reading, *, version: int) -> Change:
    return Change(reading.key, version, (Kind.APPEARED,), reading.state, reading.reported_at)


def _gone(held: Mapping[Key, Held], listed: set[Key]) -> Iterable[Change]:
    for key in held.keys() - listed:
        before = held[key]
        if not before.state.gone:
            state = msgspec.structs.replace(before.state, gone=True, bad="")
            yield Change(key, before.version + 1, (Kind.GONE,), state, before.reported_at)


def unreadable(held: Mapping[Key, Held], faults: Mapping[Key, Bad]) -> Iterable[Change]:
    """Return a change for each station in `faults`: it marks the station as unreadable, with the reason.

    `held` holds the stations as last recorded. A station that is new, gone or marked already gets no change. So a
    marked station keeps its first reason.
    """
    for key, reason in faults.items():
        before = held.get(key)
        if before and not before.state.gone and not before.state.bad:
            state = msgspec.structs.replace(before.state, bad=reason.value)
            yield Change(key, before.version + 1, (Kind.UNREADABLE,), state, before.reported_at)


def _changed(before: Held, reading: Reading) -> Change:
    old, new = before.state, reading.state
    taken, returned = _moved(old, new)
    electrical = None if old.electrical is None or new.electrical is None else new.electrical - old.electrical
    return Change(
        key=reading.key,
        version=before.version + 1,
        kinds=_kinds(old, new, taken, returned),
        state=new,
        reported_at=reading.reported_at,
        taken=taken,
        returned=returned,
        taken_electrical=None if electrical is None else max(-electrical, 0),
        returned_electrical=None if electrical is None else max(electrical, 0),
        shifted=max(abs(new.lat - old.lat), abs(new.lng - old.lng)) > SHIFT_DEGREES_MAX,
    )


def _moved(old: State, new: State) -> tuple[int, int]:
    """Return the numbers of bikes taken and returned, each kind counted for itself.

    If an electrical bike leaves and a mechanical one comes, one bike is taken and one is returned.
    """
    moves = [new.bikes - old.bikes]
    if None not in (old.mechanical, old.electrical, new.mechanical, new.electrical):
        by_kind = [new.mechanical - old.mechanical, new.electrical - old.electrical]  # type: ignore[operator]
        # The total is not always the sum of the kinds. The difference moved too.
        moves = [*by_kind, moves[0] - sum(by_kind)]
    return -sum(move for move in moves if move < 0), sum(move for move in moves if move > 0)


def _kinds(old: State, new: State, taken: int, returned: int) -> tuple[Kind, ...]:
    told = (
        (Kind.TAKEN, taken > 0),
        (Kind.RETURNED, returned > 0),
        (Kind.OPENED, new.status == "OPEN" != old.status),
        (Kind.CLOSED, old.status == "OPEN" != new.status),
        (Kind.SILENT, new.connected is False and old.connected is not False),
        (Kind.CAPACITY, new.capacity != old.capacity),
        (Kind.READABLE, bool(old.bad) and not new.bad),
        (Kind.HELD, bool(new.held) and not old.held),
        (Kind.RELEASED, bool(old.held) and not new.held),
    )
    return tuple(kind for kind, happened in told if happened) or (Kind.OTHER,)
