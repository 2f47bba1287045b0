"""The doctor's last findings, for the overview. A thread asks for them: brokers that do not answer hold up no page."""

import logging
import threading
from datetime import datetime
from typing import NamedTuple

from django.db import connections

from eventbus import clock
from eventbus.database.unit_of_work import unit_of_work
from eventbus.doctor.examination import examine
from eventbus.doctor.facts import Finding
from eventbus.doctor.gathering import gather
from mcommerce.serving import background_threads

logger = logging.getLogger(__name__)

FIRST_SECONDS = 20.0  # after the start, when the process has served its first visitors
LOOK_SECONDS = 600.0  # settings change with a deploy, or by hand: an operator can also type the command
CLOSE_SECONDS = 5.0  # for the running examination


class Examined(NamedTuple):
    """The findings of an examination. `unknown`: what it could not see, and why."""

    at: datetime
    findings: list[Finding]
    unknown: dict[str, str]


_latest: Examined | None = None


def latest() -> Examined | None:
    """Return the last examination of this process, None before the first."""
    return _latest


def look() -> None:
    """Examine the settings now."""
    global _latest
    facts = gather()
    _latest = Examined(clock.now(), examine(facts), facts.unknown)


def start() -> None:
    """Begin to examine in the background, until the process stops."""
    background_threads.run_beside("doctor", _Examination().start())


class _Examination:
    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="doctor", daemon=True)

    def start(self) -> "_Examination":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self.stop()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        seconds = FIRST_SECONDS
        while not self._stop.wait(seconds):
            seconds = LOOK_SECONDS
            try:
                with unit_of_work():
                    look()
            except Exception:  # any: the overview shows the last findings
                logger.exception("The settings were not examined")
            finally:
                connections.close_all()  # each server process has this thread, which needs none for ten minutes
