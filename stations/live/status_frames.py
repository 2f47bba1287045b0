"""The frames beside the stations: each feed's health, its polls, and the visitors' remarks."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from stations.events import PollFinished, RemarkDeleted, RemarkLeft
from stations.live.all_languages import in_every_language
from stations.live.feed_health import FeedHealth, feeds_remembered
from stations.live.live_state import encode
from stations.models import Remark

ITEMS_KEPT_MAX = 50  # of each kind: as many as a page shows; a socket that missed more gets the newest
REMARKS_SHOWN = 10  # the newest, on a page

Event = PollFinished | RemarkLeft | RemarkDeleted


class Item(NamedTuple):
    """One encoded frame and its number in the order of all frames."""

    number: int
    text: str


class RemarkShown(NamedTuple):
    """A remark as pages show it."""

    id: UUID
    name: str
    message: str
    at: datetime

    def told(self) -> dict[str, Any]:
        return {"id": str(self.id), "name": self.name, "message": self.message, "at": self.at}


class StoredStatus(NamedTuple):
    """The status from the rows: each feed's health, and the newest remarks, oldest first."""

    feeds: list[FeedHealth]
    remarks: list[RemarkShown]


class StatusFrames:
    """The last frames of each kind, numbered together. A socket requests all frames after the last number that it sent.

    A socket whose number is older than the kept remark frames (or 0) gets the visitors' newest remarks as one list.
    Otherwise it gets each later remark as its own frame.
    """

    def __init__(self) -> None:
        self.number = 0
        self.feeds: dict[str, FeedHealth] = {}
        self._feeds: dict[str, Item] = {}
        self._polls: deque[Item] = deque(maxlen=ITEMS_KEPT_MAX)
        self._remarks: dict[UUID, RemarkShown] = {}
        self._remarks_told: deque[Item] = deque(maxlen=ITEMS_KEPT_MAX)
        self._remarks_since = 0  # a socket with a lower number gets the list

    def replace(self, stored: StoredStatus) -> None:
        """Replace everything from the rows, for example after a watch that may have missed something."""
        self.feeds, self._feeds = {}, {}
        for health in stored.feeds:
            self._note(health)
        self._remarks = {remark.id: remark for remark in stored.remarks}
        self._remarks_told.clear()
        self.number += 1
        self._remarks_since = self.number

    def add(self, event: Event) -> None:
        match event:
            case RemarkLeft():
                self._add_remark(RemarkShown(event.remark_id, event.name, event.message, event.at))
            case RemarkDeleted():
                self._remarks.pop(event.remark_id, None)
                self._tell_remark({"type": "remark_deleted", "id": str(event.remark_id)})
            case PollFinished():
                self._add_poll(event)

    def remarks(self, after: int) -> Iterator[str]:
        if after < self._remarks_since:
            newest = list(self._remarks.values())[-REMARKS_SHOWN:]
            return iter([encode({"type": "remarks", "remarks": [remark.told() for remark in newest]})])
        return (item.text for item in self._remarks_told if item.number > after)

    def polls(self, after: int) -> Iterator[str]:
        return (item.text for item in self._polls if item.number > after)

    def feeds_told(self, after: int) -> Iterator[str]:
        return (item.text for item in self._feeds.values() if item.number > after)

    def _add_remark(self, remark: RemarkShown) -> None:
        if remark.id in self._remarks:
            return  # the rows had it already
        self._remarks[remark.id] = remark
        if len(self._remarks) > ITEMS_KEPT_MAX:
            del self._remarks[next(iter(self._remarks))]
        self._tell_remark({"type": "remark", **remark.told()})

    def _tell_remark(self, frame: dict[str, Any]) -> None:
        if len(self._remarks_told) == ITEMS_KEPT_MAX:
            self._remarks_since = self._remarks_told[0].number
        self._remarks_told.append(self._item(frame))

    def _add_poll(self, poll: PollFinished) -> None:
        health = self.feeds.get(poll.feed)
        if health is None:
            return  # of a feed that is not shown here
        self._polls.append(self._item(poll_told(poll)))
        self._note(health.after(poll))

    def _note(self, health: FeedHealth) -> None:
        self.feeds[health.feed.name] = health
        self._feeds[health.feed.name] = self._item(health.told())

    def _item(self, frame: dict[str, Any]) -> Item:
        self.number += 1
        return Item(self.number, encode(frame))


def stored_status() -> StoredStatus:
    """Read the status that pages and sockets begin with. Raises DatabaseError."""
    newest = Remark.objects.order_by("-at").values_list(*RemarkShown._fields)[:REMARKS_SHOWN]
    return StoredStatus(feeds_remembered(), [RemarkShown(*row) for row in newest][::-1])


def poll_told(poll: PollFinished) -> dict[str, Any]:
    """Return a poll as the producer's page shows it. `bad` are rows left out, with their reasons by language."""
    return {
        "type": "poll",
        "key": poll_key(poll.feed, poll.at),
        "feed": poll.feed,
        "ok": poll.ok,
        "at": poll.at,
        "fetched": poll.fetched,
        "changed": poll.changed,
        "appeared": poll.appeared,
        "gone": poll.gone,
        "bad": [{"reason": in_every_language(reason), "rows": rows} for reason, rows in poll.bad.items()],
        "ms": poll.ms,
        "reason": in_every_language(poll.reason),
        "detail": poll.detail,
    }


def poll_key(feed: str, at: datetime) -> str:
    """Return the key by which a page knows a poll, in a line from the server and in a frame alike."""
    return f"{feed} {at:%Y-%m-%dT%H:%M:%S.%f}"
