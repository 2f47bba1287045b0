"""What waits where, looked at again and again over one connection for all who ask.

Faults that have not been got over wait for the same; each with a connection of its own would be a load that grows as
the site falls behind.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

import psycopg

from tests.chaos.servers import ASK_SECONDS, Site

LOOK_SECONDS = 0.5
_WAITS = """
    WITH late AS (SELECT id, token FROM town_told WHERE number > 0 AND id > %s),
    unanswered AS (SELECT 1 FROM late WHERE NOT EXISTS
        (SELECT 1 FROM town_seen AS seen WHERE seen.token = late.token AND seen."group" = 'answerers')),
    unread AS (SELECT id FROM late WHERE NOT EXISTS
        (SELECT 1 FROM town_seen AS seen WHERE seen.token = late.token AND seen."group" = 'readers'))
    SELECT (SELECT count(*) FROM eventbus_outbox WHERE log_offset IS NULL), (SELECT count(*) FROM eventbus_parkedevent),
    (SELECT count(*) FROM unanswered), (SELECT count(*) FROM unread), (SELECT min(id) FROM unread),
    (SELECT max(id) FROM late WHERE id NOT IN (SELECT id FROM unread)), (SELECT max(id) FROM town_told)
"""


class Waits(NamedTuple):
    """Counts, then ids of what was told; None for none. `readers` are the last in the row, by way of an answer."""

    unsent: int
    parked: int
    unanswered: int
    unread: int
    first_unread: int | None
    last_read: int | None
    last_told: int | None

    def flows(self, mark: int) -> bool:
        """Whether all that was told until then has been read, and something told later."""
        return (self.last_read or 0) > mark and (self.first_unread is None or self.first_unread > mark)


NOTHING = Waits(0, 0, 0, 0, None, None, None)


class Watch:
    """Looks while it is open. `note` is told what it saw."""

    def __init__(self, site: Site, note: Callable[[str], None]) -> None:
        self._site, self._note = site, note
        self._connection: psycopg.Connection | None = None
        self._looked = threading.Condition()
        self._began, self._looks, self._seen = 0, 0, NOTHING
        self._ending, self._wanted = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._wanted.set()
        self._thread.join()
        self._hang_up()

    def seconds_until_it_flows(self, longest: float, clock: Callable[[], float] = time.monotonic) -> float:
        """From now until all that was told by now, and something told later, was read; `longest` if it is not."""
        begin, mark, look = clock(), None, self._began + 1  # one that has begun may not see what was told by now
        self._wanted.set()
        while clock() - begin < longest:
            with self._looked:
                self._looked.wait(LOOK_SECONDS)
                seen, fresh = self._seen, self._looks >= look
            if fresh and mark is None:
                mark = seen.last_told or 0
            elif fresh and mark is not None:
                mark = min(mark, seen.last_told or 0)  # where the database was restored
                if seen.flows(mark):
                    return clock() - begin
        return longest

    def _look(self) -> None:
        while True:
            self._wanted.wait(LOOK_SECONDS)
            self._wanted.clear()
            if self._ending.is_set():
                return
            self._began += 1
            try:
                self._see(self._ask())
            except psycopg.Error:
                self._hang_up()
                self._note("the database is away")

    def _ask(self) -> Waits:
        if self._connection is None:
            self._connection = psycopg.connect(self._site.url, autocommit=True, connect_timeout=ASK_SECONDS)
        first = self._seen.first_unread
        behind = first - 1 if first else self._seen.last_told or 0
        [row] = self._connection.execute(_WAITS, [behind]).fetchall()
        seen = Waits(*row)
        if (seen.last_told or 0) < (self._seen.last_told or 0):  # the database was restored
            self._seen = NOTHING
            return self._ask()
        return seen

    def _see(self, seen: Waits) -> None:
        if seen.last_read is None:  # among what was not read by the look before
            seen = seen._replace(last_read=self._seen.last_read)
        with self._looked:
            self._seen = seen
            self._looks = self._began
            self._looked.notify_all()
        self._note(
            f"unsent {seen.unsent}, parked {seen.parked}, unanswered {seen.unanswered}, unread {seen.unread}"
            f" from {seen.first_unread} to {seen.last_told}"
        )

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
