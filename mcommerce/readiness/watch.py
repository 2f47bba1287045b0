"""The thread that looks. A check never runs in a request: one that hangs would hold a visitor's thread."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from django.db import connections

from eventbus.database.unit_of_work import unit_of_work
from mcommerce.readiness.database import impatient

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0  # between two rounds: with what a round takes, a fault and its end are told within ten seconds
HANGS_SECONDS = 5.0  # a check that has not come back for so long has failed: it waits where no timeout reaches
STALE_SECONDS = 8.0  # without a finished round the thread is gone or starved, and nobody knows how things are
CLOSE_SECONDS = 5.0  # for the check in hand
OK = "ok"


class Part(NamedTuple):
    """Something that a page needs. `check` returns nothing or a sentence; it is left out while `needs` is not well."""

    name: str
    check: Callable[[], str]
    needs: str = ""


class Watch:
    """Looks from `start()` until `close()`, with a connection of its own that gives up soon.

    `found()` never waits. It is for any thread, and says so when a check hangs or when the thread is gone.
    """

    def __init__(self, parts: Sequence[Part], *, seconds: float = LOOK_SECONDS) -> None:
        self._parts, self._seconds = parts, seconds
        self._said: dict[str, str] = {}
        self._in_hand: tuple[str, float] | None = None  # the part that is looked at, and since when
        self._finished_at = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)

    def start(self) -> "Watch":
        """Begin in the background. No part is ready before it was looked at."""
        self._thread.start()
        return self

    def close(self) -> None:
        """End the thread, once the check in hand has come back."""
        self._stop.set()
        self._thread.join(CLOSE_SECONDS)

    def found(self) -> dict[str, str]:
        """Each part's last verdict, and beside them `checks` where none of them can be trusted."""
        now, in_hand = time.monotonic(), self._in_hand
        said = {part.name: self._said.get(part.name, "not looked at yet") for part in self._parts}
        if in_hand and now - in_hand[1] > HANGS_SECONDS:
            said[in_hand[0]] = f"no answer for {now - in_hand[1]:.0f} s"
        elif now - self._finished_at > STALE_SECONDS + self._seconds:
            said["checks"] = f"the last look was {now - self._finished_at:.0f} s ago: restart this process"
        return said

    def look(self) -> None:
        """One round: each part in turn."""
        for part in self._parts:
            if part.needs and self._said[part.needs] != OK:
                continue
            self._in_hand = (part.name, time.monotonic())
            try:
                said = part.check() or OK
            except Exception as error:  # whatever it is, a visitor would meet it too
                said = f"{type(error).__name__}: {error}"
            self._note(part.name, said)
        self._in_hand, self._finished_at = None, time.monotonic()

    def _note(self, name: str, said: str) -> None:
        was_well, self._said[name] = self._said.get(name, OK) == OK, said
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
