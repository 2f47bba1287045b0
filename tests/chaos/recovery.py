"""How long it takes after a fault until everything flows again."""

import threading
import time

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


class Flow:
    """Whether what was told has reached the last group in the row, by way of an answer."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._behind = 0  # all with a smaller id have
        self._lock = threading.Lock()

    def seconds_until_it_flows(self, longest: float) -> float:
        """From now until all that was told by now, and something told later, has; `longest` if it does not."""
        begin, mark = time.monotonic(), None
        while time.monotonic() - begin < longest:
            try:
                if mark is None:
                    mark = self._site.number("SELECT max(id) FROM town_told")
                if self._site.rows(_LATER, mark) and self._all_until(mark):
                    return time.monotonic() - begin
            except psycopg.Error:
                pass  # the database is away: part of it
            time.sleep(LOOK_SECONDS)
        return longest

    def _all_until(self, mark: int) -> bool:
        with self._lock:
            first = self._site.rows(_WAITING, self._behind, mark)[0][0]
            self._behind = max(self._behind, mark if first is None else first - 1)
            return first is None
