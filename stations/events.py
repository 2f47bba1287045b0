"""What the bike stations tell: one event per changed station, per poll and per remark."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from eventbus import Event


class Kind(StrEnum):
    """What a change was. One `StationChanged` can be several of them at once."""

    APPEARED = "appeared"  # seen for the first time, or again after it was gone
    TAKEN = "taken"  # bikes left the station
    RETURNED = "returned"  # bikes came to the station
    OPENED = "opened"
    CLOSED = "closed"
    GONE = "gone"  # a complete answer no longer lists it
    SILENT = "silent"  # it is listed, but no longer connected to its operator
    CAPACITY = "capacity"  # the number of its stands changed
    UNREADABLE = "unreadable"  # the feed lists it, but what it says of it cannot be: the state is the last that could
    READABLE = "readable"  # after it was unreadable
    OTHER = "other"  # its name, place, free stands, connection back, ...: anything else of its state


class Position(msgspec.Struct, frozen=True):
    """Degrees, WGS 84."""

    lat: float
    lng: float


class StationChanged(Event):
    """A station's state is not what it was. Carries the whole new state, so that a reader needs nothing else.

    `version` grows by exactly one with each change of the station; an event with a version that is not newer than
    what a reader holds says nothing new. `polled_at` is when we asked; `reported_at` is the station's own
    heartbeat, which may be missing, stand still or go back: never order by it.
    """

    wire_name: ClassVar[str] = "station.changed"
    topic: ClassVar[str] = "stations"
    key_fields: ClassVar[tuple[str, ...]] = ("source", "contract", "number")

    source: str  # "jcdecaux", "simulator"
    contract: str  # case-folded: "lyon"
    number: int  # unique only within (source, contract)
    version: int
    kinds: tuple[str, ...]  # of `Kind`; a reader ignores the words it does not know
    name: str
    address: str  # "" when the feed has none
    lat: float  # degrees, WGS 84
    lng: float
    status: str  # "OPEN", "CLOSED", or whatever word the operator used
    bikes: int  # available now; not always mechanical + electrical
    mechanical: int | None  # None: the feed does not tell the kinds apart
    electrical: int | None
    stands: int  # free now; bikes + stands is often less than the capacity
    capacity: int
    connected: bool | None  # None: the feed does not say
    banking: bool | None  # has a payment terminal
    bonus: bool | None
    overflow: bool | None  # takes bikes beyond its stands
    gone: bool
    polled_at: datetime
    taken: int = 0  # bikes that left since the version before
    returned: int = 0
    taken_electrical: int | None = None  # how many of those are electrical; None when the kinds are unknown
    returned_electrical: int | None = None
    reported_at: datetime | None = None
    # The same once more in the words of JCDecaux's interface, version 1, which programs of others know. Ours read what
    # stands above; events told before these words were added have the defaults.
    contract_name: str = ""
    position: Position | None = None
    bike_stands: int = 0
    available_bike_stands: int = 0
    available_bikes: int = 0
    last_update: int | None = None  # milliseconds since 1970
    bad: str = ""  # why the feed's row about it is unreadable since this version, translatable as it stands


class PollFinished(Event):
    """A feed was asked; this is how it went. A failed poll changed nothing: the last state stands."""

    wire_name: ClassVar[str] = "station.poll_finished"
    topic: ClassVar[str] = "stations-polls"
    key_fields: ClassVar[tuple[str, ...]] = ("feed",)

    feed: str  # "jcdecaux:lyon"
    ok: bool
    fetched: int  # good readings in the answer
    changed: int  # stations seen before that are not as they were; the appeared ones are counted apart
    bad: dict[str, int]  # rows left out, counted by reason
    ms: int  # from asking to recorded, without the commit
    at: datetime
    appeared: int = 0
    gone: int = 0
    reason: str = ""  # why it failed and what to do, translatable as it stands, "" when ok; never holds a key
    detail: str = ""  # "HTTP 502", for whoever looks closer
    interval_ms: int = 0  # to the next poll, by the feed's plan; 0: not told


class RemarkLeft(Event):
    """A visitor wrote into the remark box."""

    wire_name: ClassVar[str] = "station.remark_left"
    topic: ClassVar[str] = "stations-remarks"
    key_fields: ClassVar[tuple[str, ...]] = ("remark_id",)

    remark_id: UUID
    name: str  # "" when the visitor gave none
    message: str
    at: datetime


class RemarkDeleted(Event):
    """A remark is no longer to be seen anywhere."""

    wire_name: ClassVar[str] = "station.remark_deleted"
    topic: ClassVar[str] = "stations-remarks"
    key_fields: ClassVar[tuple[str, ...]] = ("remark_id",)

    remark_id: UUID
