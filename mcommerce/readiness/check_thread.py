"""The thread that runs the checks. None runs in a request: one that hangs would hold a visitor's thread."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connections

from eventbus import clock
from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import is_contention
from mcommerce.readiness.impatience import impatient

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0  # between two rounds: with a round's own time, a fault and its end are reported within ten seconds
HANGS_SECONDS = 5.0  # a check without a result for so long has failed: no timeout reaches it
STALE_SECONDS = 8.0  # without a finished round the thread is gone or starved, and no verdict is valid
CLOSE_SECONDS = 5.0  # for the running check
OK = "ok"


class Part(NamedTuple):
    """A part of the site that pages need. `check` returns "", or a sentence about the part's fault.

    It is not checked while the part named `needs` has a fault.
    """

    name: str
    check: Callable[[], str]
    needs: str = ""


class Watch:
    """A thread that runs the checks from `start()` until `close()`, with a database connection that soon gives up.

    `found()` returns the results. It never waits, and any thread may call it. It also reports a check that hangs, and a
    thread that has ended.
    """

    def __init__(self, parts: Sequence[Part], *, seconds: float = LOOK_SECONDS) -> None:
        self._parts, self._seconds = parts, seconds
        self._said: dict[str, str] = {}
        self._since: dict[str, datetime] = {}  # when each part's present fault was first found
        self._in_hand: tuple[str, float] | None = None  # the part that is checked, and since when
        self._finished_at = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)

    def start(self) -> "Watch":
        """Start in the background. No part is ready before its first check."""
        self._thread.start()
        return self

    def close(self) -> None:
        """End the thread, once the running check has returned."""
        self._stop.set()
        self._thread.join(CLOSE_SECONDS)

    def found(self) -> dict[str, str]:
        """Return the last result of each part. If they are too old to be trusted, the part `checks` is added."""
        now, in_hand = time.monotonic(), self._in_hand
        said = {part.name: self._said.get(part.name, "not looked at yet") for part in self._parts}
        if in_hand and now - in_hand[1] > HANGS_SECONDS:
            said[in_hand[0]] = f"no answer for {now - in_hand[1]:.0f} s"
        elif now - self._finished_at > STALE_SECONDS + self._seconds:
            said["checks"] = f"the last look was {now - self._finished_at:.0f} s ago: restart this process"
        return said

    def since(self, name: str) -> datetime | None:
        """Return when the part's present fault was first found; None without one."""
        return self._since.get(name)

    def look(self) -> None:
        """Run one round: each part in turn."""
        for part in self._parts:
            if part.needs and self._said[part.needs] != OK:
                continue
            self._in_hand = (part.name, time.monotonic())
            try:
                said = part.check() or OK
            except Exception as error:  # any error: a visitor would meet it too
                if is_contention(error) and part.name in self._said:
                    continue  # a lock says nothing about this part, and the parts `database` and `tables` name it
                said = f"{type(error).__name__}: {error}"
            self._note(part.name, said)
        self._in_hand, self._finished_at = None, time.monotonic()

    def _note(self, name: str, said: str) -> None:
        was_well, self._said[name] = self._said.get(name, OK) == OK, said
        if said == OK:
            self._since.pop(name, None)
        else:
            self._since.setdefault(name, clock.now())
        if was_well and said != OK:
            logger.error("Not ready: %s: %s", name, said)
        elif said == OK and not was_well:
            logger.warning("Ready again: %s", name)

    def _run(self) -> None:
        connections["default"] = impatient(connections["default"])
        try:
            while True:
                with unit_of_work():
                    self.look()
                if self._stop.wait(self._seconds):
                    return
        finally:
            connections.close_all()
