"""What is told beside the stations: how each feed is doing, its polls, and the remarks of visitors."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext

from stations.board import encode
from stations.events import PollFinished, RemarkLeft
from stations.feeds.registry import is_simulated
from stations.models import PollRun

ITEMS_KEPT_MAX = 50  # of each kind: what a page shows; a socket that missed more than that is told the newest


class Item(NamedTuple):
    """One encoded frame and its place in the order of all news."""

    number: int
    text: str


class FeedHealth(NamedTuple):
    """How a feed is doing: the last poll, and the last one that went well. None: none yet, as far as is known."""

    feed: str
    ok: bool
    at: datetime
    good_at: datetime | None
    reason: str = ""
    detail: str = ""

    def told(self) -> dict[str, Any]:
        return {
            "type": "feed",
            "name": self.feed,
            "simulated": is_simulated(source_of(self.feed)),
            "ok": self.ok,
            "at": self.at,
            "good_at": self.good_at,
            "reason": in_every_language(self.reason),
            "detail": self.detail,
        }


class News:
    """The last news of each kind, numbered together. A socket asks for what came after the number it holds."""

    def __init__(self) -> None:
        self.number = 0
        self.feeds: dict[str, FeedHealth] = {}
        self._feeds: dict[str, Item] = {}
        self._polls: deque[Item] = deque(maxlen=ITEMS_KEPT_MAX)
        self._remarks: deque[Item] = deque(maxlen=ITEMS_KEPT_MAX)

    def remember(self, feeds: list[FeedHealth]) -> None:
        """What the rows say of each feed, where no event has said anything newer."""
        for health in feeds:
            if health.feed not in self.feeds:
                self._note(health)

    def add(self, event: PollFinished | RemarkLeft) -> None:
        if isinstance(event, RemarkLeft):
            self._remarks.append(self._item(_remark_told(event)))
        else:
            self._polls.append(self._item(poll_told(event)))
            self._note(self._after(event))

    def remarks(self, after: int) -> Iterator[str]:
        return (item.text for item in self._remarks if item.number > after)

    def polls(self, after: int) -> Iterator[str]:
        return (item.text for item in self._polls if item.number > after)

    def feeds_told(self, after: int) -> Iterator[str]:
        return (item.text for item in self._feeds.values() if item.number > after)

    def _note(self, health: FeedHealth) -> None:
        self.feeds[health.feed] = health
        self._feeds[health.feed] = self._item(health.told())

    def _after(self, poll: PollFinished) -> FeedHealth:
        before = self.feeds.get(poll.feed)
        good_at = poll.at if poll.ok else before and before.good_at
        return FeedHealth(poll.feed, poll.ok, poll.at, good_at, poll.reason, poll.detail)

    def _item(self, frame: dict[str, Any]) -> Item:
        self.number += 1
        return Item(self.number, encode(frame))


def feeds_remembered() -> list[FeedHealth]:
    """How each feed in use is doing by its rows. Raises DatabaseError."""
    return [health for name in settings.STATIONS_FEEDS if (health := _remembered(name))]


def source_of(feed: str) -> str:
    """ "jcdecaux" of "jcdecaux:lyon": what its stations have for a source."""
    return feed.partition(":")[0]


def in_every_language(sentence: str) -> dict[str, str]:
    """A sentence that is translated as it stands, by language: one frame serves readers of all."""
    if not sentence:
        return {}
    told = {}
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            told[code] = gettext(sentence)
    return told


def poll_told(poll: PollFinished) -> dict[str, Any]:
    """A poll as the producer's page shows it. `bad` are rows left out, with their reasons by language."""
    return {
        "type": "poll",
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


def _remark_told(remark: RemarkLeft) -> dict[str, Any]:
    return {
        "type": "remark",
        "id": str(remark.remark_id),
        "name": remark.name,
        "message": remark.message,
        "at": remark.at,
    }


def _remembered(feed: str) -> FeedHealth | None:
    runs = PollRun.objects.filter(feed=feed).order_by("-started")
    last = runs.first()
    if last is None:
        return None
    good = runs.filter(outcome=PollRun.Outcome.OK).first()
    ok = last.outcome == PollRun.Outcome.OK
    return FeedHealth(feed, ok, last.started, good and good.started, last.reason, last.detail)
