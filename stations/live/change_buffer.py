"""The input of the live state: first all rows, then every newer event. Runs in the watch's thread."""

import logging
from collections.abc import Iterable
from threading import Lock
from typing import NamedTuple

from django.db import DatabaseError, close_old_connections
from msgspec import structs

from stations.events import StationChanged
from stations.feeds.active_feeds import active_feeds
from stations.live.station_view import Change, StationView
from stations.models import Station

logger = logging.getLogger(__name__)

ROWS_AT_ONCE_MAX = 200  # stations that one audit reads again, one query each; the rest waits for the next audit

Key = tuple[str, str]  # feed, station id


class Taken(NamedTuple):
    """The input since the last `take`. `rows`, unless None, replaces all stations; `changes` come after these rows."""

    rows: list[StationView] | None
    changes: list[Change]


class ChangeBuffer:
    """A thread-safe buffer that compares versions and keeps input until the event loop takes it.

    Start the watch before `load`: then no change between the rows and the first event is lost. An event whose version
    is not higher than the known one is dropped. If an event skips a version, the buffer reads the station's row again.
    """

    def __init__(self) -> None:
        self._receiving = Lock()  # held while rows are read: events wait, and are then compared with these rows
        self._handing_over = Lock()  # held for an instant only: the event loop takes it too
        self._active = active_feeds()
        self._versions: dict[Key, int] = {}
        self._suspects: dict[Key, int] = {}
        self._rows: list[StationView] | None = None
        self._changes: list[Change] = []

    def load(self) -> None:
        """Read all rows of the shown feeds, which contain all earlier changes. Raises DatabaseError."""
        with self._receiving:
            close_old_connections()
            self._active = active_feeds()
            rows = list(Station.objects.filter(self._active.condition()))
            self._versions = {_key(row): row.version for row in rows}
            self._suspects = {}
            views = [StationView.of(row) for row in rows]
            with self._handing_over:
                self._rows, self._changes = views, []

    def receive(self, events: Iterable[StationChanged]) -> None:
        """Keep the changes of newer events. If a station's row cannot be read now, the next event or audit reads it."""
        with self._receiving:
            changes = [change for event in events if (change := self._compared(event))]
            with self._handing_over:
                self._changes.extend(changes)

    def audit(self) -> int:
        """Load each station whose live state was older than its row at this audit and the one before.

        Return the number of changes. A station that is behind for the first time is left alone: its event is probably
        on its way. The event also says what happened, which the row does not.
        """
        with self._receiving:
            close_old_connections()
            rows = Station.objects.filter(self._active.condition()).values_list(*_KEY_FIELDS, "version")
            stored = {(feed, station_id): version for feed, station_id, version in rows}
            differing = {key: self._versions.get(key, 0) for key, v in stored.items() if v > self._versions.get(key, 0)}
            stuck = [key for key, version in differing.items() if self._suspects.get(key) == version]
            self._suspects = differing
            changes = [change for key in stuck[:ROWS_AT_ONCE_MAX] if (change := self._reread(key))]
            with self._handing_over:
                self._changes.extend(changes)
        return len(changes)

    def take(self) -> Taken:
        """Return the input since the last call, and forget it."""
        with self._handing_over:
            taken = Taken(self._rows, self._changes)
            self._rows, self._changes = None, []
        return taken

    def _compared(self, event: StationChanged) -> Change | None:
        held = self._versions.get(_key(event), 0)
        if not held and not self._active.shows(event.feed, event.contract):
            return None
        if event.version <= held:
            return None
        if event.version != held + 1:
            return self._reread(_key(event), event)
        self._versions[_key(event)] = event.version
        return _change(self._view(event), event)

    def _view(self, told: Station | StationChanged) -> StationView:
        """Return the station's view. One that moved to a city that another feed supplies is gone from here."""
        view = StationView.of(told)
        return view if self._active.shows(told.feed, told.contract) else structs.replace(view, gone=True)

    def _reread(self, key: Key, event: StationChanged | None = None) -> Change | None:
        """Return the station's row as a change, or None if it is not newer than the known version.

        The change has the event's kinds and counts if the event is of the row's version.
        """
        close_old_connections()
        try:
            row = Station.objects.filter(**dict(zip(_KEY_FIELDS, key, strict=True))).first()
        except DatabaseError:
            logger.warning("Could not read station %s again; the next audit will", key)
            return None
        if row is None or row.version <= self._versions.get(key, 0):
            return None
        self._versions[key] = row.version
        view = self._view(row)
        return _change(view, event) if event and event.version == row.version else Change(view)


_KEY_FIELDS = ("feed", "station_id")


def _key(told: Station | StationChanged) -> Key:
    return told.feed, told.station_id


def _change(view: StationView, event: StationChanged) -> Change:
    return Change(view, event.kinds, event.taken, event.returned, event.taken_electrical, event.returned_electrical)
