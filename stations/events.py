"""The events of the bike stations: one per changed station, poll, remark, and episode of an alert."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from eventbus import Event


class Kind(StrEnum):
    """The kind of a change. One `StationChanged` can have several kinds at once."""

    APPEARED = "appeared"  # seen for the first time, or again after it was gone
    TAKEN = "taken"  # bikes left the station
    RETURNED = "returned"  # bikes came to the station
    OPENED = "opened"
    CLOSED = "closed"
    GONE = "gone"  # a complete answer no longer lists it
    SILENT = "silent"  # it is listed, but no longer connected to its operator
    CAPACITY = "capacity"  # the number of its stands changed
    UNREADABLE = "unreadable"  # the feed lists it, but with an impossible row: the state is the last readable one
    READABLE = "readable"  # again, after it was unreadable
    HELD = "held"  # kept apart from the stations for riders: a test bench, far from its city, decided by staff, ...
    RELEASED = "released"  # no longer held
    OTHER = "other"  # any other part of its state: name, place, free stands, connection back, ...


class Position(msgspec.Struct, frozen=True):
    """A place in degrees, WGS 84."""

    lat: float
    lng: float


class StationChanged(Event, name="station.changed", topic="stations", key=("feed", "station_id")):
    """A change of a station's state. It carries the whole new state, so that a reader needs nothing else.

    `version` grows by exactly one with each change of the station. A reader ignores an event whose version is not
    higher than its own. `polled_at` is the time of our poll. `reported_at` is the station's own heartbeat. It may be
    missing, stay the same or go back, so never order by it.

    `manage.py publish_stations` publishes the present state of every station again, for a module that starts late. Such
    an event has the version that the station has, and no kinds.
    """

    feed: str  # "jcdecaux:lyon", "gbfs:bicing", "simulator"
    station_id: str  # unique only within its feed, any text
    contract: str  # the city under which pages show it, case-folded: "lyon"
    number: int | None  # the operator's own number, if its stations have numbers
    version: int
    kinds: tuple[str, ...]  # of `Kind`; a reader ignores the words it does not know; none: nothing happened
    name: str
    address: str  # "" when the feed has none
    lat: float  # degrees, WGS 84
    lng: float
    status: str  # "OPEN", "CLOSED", or whatever word the operator used
    bikes: int  # available now; not always mechanical + electrical
    mechanical: int | None  # None: the feed does not separate the kinds
    electrical: int | None
    stands: int | None  # free now; bikes + stands is often less than the capacity. None: bikes stand anywhere
    capacity: int
    connected: bool | None  # None: the feed does not give it
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
    # The same values under the names of JCDecaux's API, version 1, which other programs know. Our programs read the
    # fields above. Events published before these fields existed have the defaults.
    contract_name: str = ""
    position: Position | None = None
    bike_stands: int = 0
    available_bike_stands: int | None = 0
    available_bikes: int = 0
    last_update: int | None = None  # milliseconds since 1970
    bad: str = ""  # why the feed's row about it is unreadable since this version, translatable unchanged
    held: str = ""  # why it is kept apart from the stations for riders, translatable unchanged; "" is the rule
    seen_at: datetime | None = None  # of a bad or gone one: the last poll that saw its row good


class PollFinished(Event, name="station.poll_finished", topic="stations-polls", key="feed"):
    """The end of one poll and its outcome. A failed poll changed nothing: the last state stays."""

    feed: str  # "jcdecaux:lyon"
    ok: bool
    fetched: int  # good readings in the answer
    changed: int  # known stations with another state; the appeared ones are counted apart
    bad: dict[str, int]  # rows left out, counted by reason
    ms: int  # from asking to recorded, without the commit
    at: datetime
    appeared: int = 0
    gone: int = 0
    reason: str = ""  # why it failed and what to do, translatable unchanged, "" when ok; never holds a key
    detail: str = ""  # "HTTP 502", for a closer look
    interval_ms: int = 0  # to the next poll, by the feed's plan; 0: unknown
    updated_at: datetime | None = None  # when the feed made its answer: by its own word, or its stations' newest report


class RemarkLeft(Event, name="station.remark_left", topic="stations-remarks", key="remark_id"):
    """A visitor's new remark."""

    remark_id: UUID
    name: str  # "" when the visitor gave none
    message: str
    at: datetime


class RemarkDeleted(Event, name="station.remark_deleted", topic="stations-remarks", key="remark_id"):
    """The deletion of a remark, which disappears everywhere."""

    remark_id: UUID


class StationAlertDue(Event, name="station.alert_due", topic="stations-alerts", key="alert_id"):
    """A rider is to be told of an episode: a place that an alert watches has become short, or has closed.

    It is published at the time when the rider may be told, after quiet hours. It names neither the rider nor the place.
    Whoever tells the rider reads the alert, and tells nobody if it is paused, deleted, or its episode is over.
    """

    alert_id: UUID
    episode: int  # counts the episodes of this alert: told once each
    due_at: datetime  # long after it, nobody is told: the place is another by then


class StationWebhookDue(Event, name="station.webhook_due", topic="stations-alerts", key="alert_id"):
    """The webhook of an alert is to be told of an episode. It is published again with a pause for each further try."""

    alert_id: UUID
    episode: int
    due_at: datetime  # of the first try; long after it, nobody is told
    tries: int = 0  # that have failed
