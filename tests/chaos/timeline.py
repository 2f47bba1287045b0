"""What happened when: faults, and each second what waits where, in a file beside the processes' logs."""

import threading
from datetime import UTC, datetime
from typing import Self

import psycopg

from tests.chaos.site import Site

LOOK_SECONDS = 1.0
_WAITS = """
    WITH late AS (SELECT id, token FROM town_told WHERE number > 0 AND id > %s),
    unanswered AS (SELECT 1 FROM late WHERE NOT EXISTS
        (SELECT 1 FROM town_seen AS seen WHERE seen.token = late.token AND seen."group" = 'answerers')),
    unread AS (SELECT id FROM late WHERE NOT EXISTS
        (SELECT 1 FROM town_seen AS seen WHERE seen.token = late.token AND seen."group" = 'readers'))
    SELECT (SELECT count(*) FROM eventbus_outbox WHERE position IS NULL), (SELECT count(*) FROM eventbus_parkedevent),
    (SELECT count(*) FROM unanswered), (SELECT count(*) FROM unread), (SELECT min(id) FROM unread),
    (SELECT max(id) FROM town_told)
"""


class Timeline:
    """Its lines begin with UTC's time, as those of the logs do."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._file = (site.folder / "timeline").open("a", buffering=1)
        self._behind = 0  # all with a smaller id were read
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._thread.join()
        self._file.close()

    def note(self, what: str) -> None:
        with self._lock:
            self._file.write(f"{datetime.now(UTC):%H:%M:%S.%f} {what}\n")

    def _look(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            try:
                [(unsent, parked, unanswered, unread, first, last)] = self._site.rows(_WAITS, self._behind)
            except psycopg.Error:
                self.note("the database is away")
                continue
            self._behind = first - 1 if first else last or 0
            self.note(
                f"unsent {unsent}, parked {parked}, unanswered {unanswered}, unread {unread} from {first} to {last}"
            )
