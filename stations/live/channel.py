"""A channel: the rows of one city, or of the world, whose changes are numbered and encoded once for all clients.

This module uses no clock, no database and no socket. Only code on the process's event loop may use it.
"""

import zlib
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from stations.live.rows import HAPPENED_FIELDS, Row, encoded, epoch_ms, happened
from stations.live.station_view import Change

CHANGES_KEPT_PER_ROW = 4  # a client further behind gets a snapshot, which is hardly larger than so many changes
CHANGES_KEPT_MIN = 200  # of a small city: some minutes at rush hour
FRAMES_KEPT_MAX = 64  # encoded frames of a channel: one serves all clients that keep pace, the rest serve slow ones
COMPRESSION_LEVEL = 6  # zlib's own: a city takes a millisecond, once for all clients

Contracts = frozenset[str]


class Delta(NamedTuple):
    """An encoded frame. `empty`: it holds no row."""

    text: str
    empty: bool


class Logged(NamedTuple):
    """One change of a row: the bits of the fields that differ, and what happened at a station."""

    number: int
    key: str
    fields: int
    change: Change | None

    def after(self, earlier: "Logged") -> "Logged":
        both = self.change.after(earlier.change) if self.change and earlier.change else self.change or earlier.change
        return Logged(self.number, self.key, self.fields | earlier.fields, both)


class Channel:
    """The rows at `seq`, which counts changes, and the last changes that led there.

    A row has a number for as long as the channel lives. A client at an earlier `seq` gets one frame with the present
    values of all fields that changed since, so it needs no queue.
    """

    def __init__(self, name: str, epoch: str, fields: tuple[str, ...], rows: Mapping[str, Row], at: datetime) -> None:
        self.name, self.epoch, self.at = name, epoch, at
        self.seq = 0
        self._fields = fields
        self._all_fields = (1 << len(fields)) - 1
        self._numbers = {key: number for number, key in enumerate(rows)}
        self._rows = dict(rows)
        self._log: deque[Logged] = deque()
        self._frames: OrderedDict[tuple[int, int, Contracts], Delta] = OrderedDict()
        self._snapshot: bytes | None = None

    def put(self, key: str, row: Row | None, at: datetime, change: Change | None = None) -> None:
        """Replace a row; None removes it. `at` is the time of this tick, sent with every frame that ends here."""
        before = self._rows.get(key)
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row
        fields = self._differing(before, row)
        if not fields and not (row and change and happened(change)):
            return
        number = self._numbers.setdefault(key, len(self._numbers))
        self._log.append(Logged(number, key, fields, change))
        while len(self._log) > self.kept_max:
            self._log.popleft()
        self.seq += 1
        self.at = at
        self._frames.clear()
        self._snapshot = None

    @property
    def kept_max(self) -> int:
        return max(CHANGES_KEPT_MIN, CHANGES_KEPT_PER_ROW * len(self._rows))

    def reaches(self, seq: int) -> bool:
        """Return True if every change after `seq` is still known."""
        return self.seq - len(self._log) <= seq <= self.seq

    def well_reaches(self, seq: int) -> bool:
        """Return True if a client at `seq` lags by at most half of the changes that are kept."""
        return self.seq - seq <= self.kept_max // 2

    def snapshot(self) -> bytes:
        """Return the `snapshot` frame: all rows in columns, compressed once for all clients."""
        if self._snapshot is None:
            columns = zip(*self._rows.values(), strict=True)
            told = {
                **self._head("snapshot"),
                "seq": self.seq,
                "at": epoch_ms(self.at),
                "fields": [*self._fields, *HAPPENED_FIELDS],
                "numbers": [self._numbers[key] for key in self._rows],
                "columns": [[encoded(value, self.at) for value in column] for column in columns],
            }
            self._snapshot = zlib.compress(msgspec.json.encode(told), COMPRESSION_LEVEL)
        return self._snapshot

    def delta(self, after: int, without: Contracts = frozenset(), *, until: int | None = None) -> Delta:
        """Return the `delta` frame of all changes after `after`, but of the rows `without`; `reaches(after)` is True.

        With `until` the changes end there, with present values all the same. Each distinct frame is encoded once until
        the next change.
        """
        wanted = (after, self.seq if until is None else until, without)
        if (made := self._frames.get(wanted)) is None:
            made = self._frames[wanted] = self._delta(*wanted)
            if len(self._frames) > FRAMES_KEPT_MAX:
                self._frames.popitem(last=False)
        self._frames.move_to_end(wanted)
        return made

    def _delta(self, after: int, until: int, without: Contracts) -> Delta:
        last: dict[int, Logged] = {}
        for logged in self._between(after, until):
            if logged.key not in without:
                earlier = last.get(logged.number)
                last[logged.number] = logged.after(earlier) if earlier else logged
        told = {
            **self._head("delta"),
            "prev": after,
            "seq": until,
            "at": epoch_ms(self.at),
            "changes": [self._told(logged) for logged in last.values()],
        }
        return Delta(msgspec.json.encode(told).decode(), empty=not last)

    def _told(self, logged: Logged) -> list[Any]:
        """Return a row's number, then each changed field's number and value. A number alone: the row is removed."""
        row = self._rows.get(logged.key)
        if row is None:
            return [logged.number]
        changed = (field for field in range(len(row)) if logged.fields >> field & 1)
        told = [part for field in changed for part in (field, encoded(row[field], self.at))]
        return [logged.number, *told, *(happened(logged.change) if logged.change else ())]

    def _head(self, kind: str) -> dict[str, str]:
        return {"type": kind, "contract": self.name, "epoch": self.epoch}

    def _differing(self, before: Row | None, row: Row | None) -> int:
        if before is None or row is None:
            return self._all_fields if before is not row else 0
        return sum(1 << field for field, (old, new) in enumerate(zip(before, row, strict=True)) if old != new)

    def _between(self, after: int, until: int) -> Iterable[Logged]:
        return [*islice(reversed(self._log), self.seq - until, self.seq - after)][::-1]
