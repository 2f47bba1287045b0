"""The systems that this process answers from: read once, encoded once, and compared with the rows once a second.

So fifty requests a second cost what one costs. A change is seen a second later at most.
"""

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

import msgspec
from django.db.models import Count, Max, Q

from eventbus import clock
from stations.feeds.active_feeds import ActiveFeed
from stations.live.feed_health import FeedHealth, feeds_remembered
from stations.models import Station
from stations.open_data.answers import Body, Unavailable, body_of
from stations.open_data.gbfs_documents import System, document
from stations.services.poll_schedule import interval_ms_of

LOOK_SECONDS = 1.0  # between two looks at the database; the shortest ttl that GBFS can express
RETRY_SECONDS = 30  # until a feed without a good poll is asked for again: a poll of a new site takes some seconds
NOT_POLLED = "This feed has not been polled with success yet."

Value = TypeVar("Value")
FOR_RIDERS = Q(gone=False, held="")


class _Token(NamedTuple):
    """The facts that differ whenever a document would."""

    updated_at: datetime
    stations: int
    changed_at: datetime | None
    interval_ms: int


class KeptSystem:
    """One feed's system with its encoded documents."""

    def __init__(self, feed: ActiveFeed, token: _Token) -> None:
        rows = Station.objects.filter(FOR_RIDERS, feed=feed.name).defer("search").order_by("station_id")
        ttl_seconds = max(1, -(-token.interval_ms // 1000))
        self.token = token
        self.system = System(feed.name, feed.contract, list(rows), token.updated_at, ttl_seconds)
        self._bodies: dict[tuple[str, str], Body] = {}
        self._lock = Lock()  # one thread encodes, the others wait for it

    @property
    def changed_at(self) -> datetime:
        """Return when its documents last changed: with a poll, or with a decision of staff."""
        return max(filter(None, (self.token.updated_at, self.token.changed_at)))

    def body(self, name: str, version: str) -> Body:
        """Return one of the documents OF_STATIONS."""
        with self._lock:
            if (version, name) not in self._bodies:
                content = document(name, self.system, version)
                self._bodies[version, name] = body_of(
                    msgspec.json.encode(content), changed_at=self.changed_at, max_age_seconds=content["ttl"]
                )
            return self._bodies[version, name]


class Kept(Generic[Value]):
    """A value that is read anew once LOOK_SECONDS have passed; by one thread, while the others wait."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._value: Value | None = None
        self._until = 0.0

    def get(self, read: Callable[[Value | None], Value]) -> Value:
        with self._lock:
            if self._value is None or clock.monotonic() >= self._until:
                self._value = read(self._value)
                self._until = clock.monotonic() + LOOK_SECONDS
            return self._value

    def forget(self) -> None:
        self._value = None


_health: Kept[list[FeedHealth]] = Kept()
_systems: dict[str, Kept[KeptSystem]] = {}


def feeds_health() -> list[FeedHealth]:
    """Return the health of each feed in use, a second old at most."""
    return _health.get(lambda before: feeds_remembered())


def kept_system(feed: ActiveFeed) -> KeptSystem:
    """Return the system of a feed in use. Raises Unavailable before its first good poll."""
    kept: Kept[KeptSystem] = _systems.setdefault(feed.name, Kept())
    return kept.get(lambda before: _looked_after(feed, before))


def forget() -> None:
    """Forget everything. For tests, whose database changes under this process."""
    _health.forget()
    _systems.clear()


def _looked_after(feed: ActiveFeed, before: KeptSystem | None) -> KeptSystem:
    token = _token_of(feed)
    return before if before is not None and before.token == token else KeptSystem(feed, token)


def _token_of(feed: ActiveFeed) -> _Token:
    health = next((one for one in feeds_health() if one.feed == feed), None)
    updated_at = health and (health.updated_at or health.good_at)
    if updated_at is None:
        raise Unavailable(NOT_POLLED, RETRY_SECONDS)
    rows = Station.objects.filter(feed=feed.name).aggregate(count=Count("pk", filter=FOR_RIDERS), at=Max("changed_at"))
    return _Token(updated_at, rows["count"], rows["at"], interval_ms_of(feed.name))
