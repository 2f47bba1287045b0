"""How long it takes after a fault until everything flows again."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from tests.chaos.site import Site

LOOK_SECONDS = 0.25
_LATER = """
    SELECT 1 FROM town_told AS told JOIN town_seen AS seen USING (token)
    WHERE told.id > %s AND told.number > 0 AND seen."group" = 'readers' LIMIT 1
"""
_WAITING = """
    SELECT min(told.id) FROM town_told AS told
    WHERE told.id > %s AND told.id <= %s AND told.number > 0
    AND NOT EXISTS (SELECT 1 FROM town_seen AS seen WHERE seen.token = told.token AND seen."group" = 'readers')
"""


class Calm:
    """A clock that stands still while anything is being done to the site.

    While the broker is away nothing recovers from the death of a worker before, and faults come faster than one lasts.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lasting = 0
        self._passed, self._since = 0.0, clock()

    @contextmanager
    def broken(self) -> Iterator[None]:
        """A fault lasts."""
        with self._lock:
            self._passed, self._since = self._now(), self._clock()
            self._lasting += 1
        try:
            yield
        finally:
            with self._lock:
                self._passed, self._since = self._now(), self._clock()
                self._lasting -= 1

    def seconds(self) -> float:
        with self._lock:
            return self._now()

    def _now(self) -> float:
        return self._passed if self._lasting else self._passed + self._clock() - self._since


class Flow:
    """Whether what was told has reached the last group in the row, by way of an answer."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._behind = 0  # all with a smaller id have
        self._lock = threading.Lock()

    def seconds_until_it_flows(self, longest: float, clock: Callable[[], float] = time.monotonic) -> float:
        """From now until all that was told by now, and something told later, has; `longest` if it does not."""
        begin, mark = clock(), None
        while clock() - begin < longest:
            try:
                if mark is None:
                    mark = self._site.number("SELECT max(id) FROM town_told")
                if self._site.rows(_LATER, mark) and self._all_until(mark):
                    return clock() - begin
            except psycopg.Error:
                pass  # the database is away: part of it
            time.sleep(LOOK_SECONDS)
        return longest

    def _all_until(self, mark: int) -> bool:
        with self._lock:
            first = self._site.rows(_WAITING, self._behind, mark)[0][0]
            self._behind = max(self._behind, mark if first is None else first - 1)
            return first is None
