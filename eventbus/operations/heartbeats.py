"""Heartbeats: each process stores every few seconds its role, its state and its partitions, for operators to see.

No process depends on them: leases decide which process is active, and the backend assigns partitions. A supervisor that
cannot call a process by HTTP looks at the age of its EVENTBUS_LIVENESS_FILE. While a working thread hangs
(`consuming.thread_liveness`), the process writes no heartbeat and does not touch the file. It then counts as silent and
should be restarted.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connections

from eventbus import clock, failpoints
from eventbus.consuming import thread_liveness
from eventbus.database.unit_of_work import unit_of_work
from eventbus.ids import uuid7
from eventbus.models import HOST_CHARACTERS_MAX, ProcessRow
from eventbus.models.process_rows import RELEASE_CHARACTERS_MAX
from eventbus.operations import log_levels

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0  # between heartbeats: each is one small write, and often enough for an operator who looks
SILENT_SECONDS = 35.0  # three heartbeats are missing: the process hangs, was killed, or cannot reach the database
FORGET_SECONDS = 100.0  # a process silent for so long is deleted: operators have a minute to see that it is silent
DIED_SECONDS = 1.5 * BEAT_SECONDS  # silence before a process of this host counts as dead if its id does not run here
CLOSE_SECONDS = 5.0  # for each thread to end
# After so many checks in a row that find a hanging thread, a process that does nothing else ends itself. Checks are
# counted, and not seconds: a process that was frozen must get time to go on.
LOOKS_MAX = 4
EXIT_HANGS = 70  # EX_SOFTWARE: a supervisor starts it again

_LOADED_AT = clock.now()  # an earlier process with this process's id has ended

# What a process does: its state, and by consumer group the partitions that it reads, as "orders/0".
Told = tuple[str, dict[str, list[str]]]


class ProcessStatus(msgspec.Struct, frozen=True):
    """The status of a process at its last heartbeat. `silent`: that heartbeat was too long ago."""

    role: str
    host: str
    pid: int
    state: str
    assignment: dict[str, list[str]]
    began_at: datetime
    beat_at: datetime
    silent: bool
    release: str
    id: UUID


def processes() -> list[ProcessStatus]:
    """Return the processes that are not known to be dead, in order of role, host and process id."""
    return [
        ProcessStatus(
            role=row.role,
            host=row.host,
            pid=row.pid,
            state=row.state,
            assignment=row.assignment,
            began_at=row.began_at,
            beat_at=row.beat_at,
            silent=is_silent(row),
            release=row.release,
            id=row.id,
        )
        for row in ProcessRow.objects.order_by("role", "host", "pid")
        if not _is_dead(row)
    ]


def _is_dead(row: ProcessRow) -> bool:
    """Return True for the row of a dead process.

    A process is dead if it was silent for FORGET_SECONDS, or if it ran on this machine and does not run there any more.
    """
    silent = clock.now() - row.beat_at
    if silent > timedelta(seconds=FORGET_SECONDS) or row.host != _host():
        return silent > timedelta(seconds=FORGET_SECONDS)
    if row.pid == os.getpid() and row.began_at < _LOADED_AT:
        return True
    return silent > timedelta(seconds=DIED_SECONDS) and not _runs(row.pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it belongs to another user
    return True


def _host() -> str:
    return socket.gethostname()[:HOST_CHARACTERS_MAX]


def is_silent(row: ProcessRow) -> bool:
    """Return True if the last heartbeat is over SILENT_SECONDS old, so that the stored state may be wrong."""
    return row.beat_at < clock.now() - timedelta(seconds=SILENT_SECONDS)


class Heartbeat:
    """The heartbeat of a process from `start()` until `close()`, in threads of its own. It only logs a lost database.

    `tell` returns the process's state and partitions. `end` ends the process if a thread hangs for too long.
    """

    def __init__(
        self, role: str, tell: Callable[[], Told] = lambda: ("", {}), *, end: Callable[[int], Any] | None = None
    ) -> None:
        self._id = uuid7()
        self._role, self._tell = role, tell
        self._end, self._looks = end, 0
        self._began_at = clock.now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eventbus-heartbeat", daemon=True)
        self._watching = threading.Thread(target=self._watch, name="eventbus-liveness", daemon=True)

    def start(self) -> "Heartbeat":
        """Start both threads."""
        self._thread.start()
        self._watching.start()
        return self

    def close(self) -> None:
        """End the threads, and delete the process's row."""
        self._stop.set()
        self._thread.join(CLOSE_SECONDS)
        self._watching.join(CLOSE_SECONDS)

    def __enter__(self) -> "Heartbeat":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            while True:
                if not thread_liveness.overdue():
                    self._try(self.beat)
                log_levels.return_overdue()  # also while no heartbeat can be written
                if self._stop.wait(BEAT_SECONDS):
                    break
            self._try(self._leave)
        finally:
            connections.close_all()

    def _watch(self) -> None:
        """Call `look` at intervals. This thread uses no database: one that hangs or is unavailable would stop it."""
        while True:
            self.look()
            if self._stop.wait(BEAT_SECONDS):
                return

    def look(self) -> None:
        """Touch the liveness file if no thread hangs.

        Else end the thread's statement, and after LOOKS_MAX checks the process.
        """
        hanging = thread_liveness.overdue()
        self._looks = self._looks + 1 if hanging else 0
        for one in hanging:
            logger.error("%s; so this process does not say that it lives", one)
        if not hanging:
            touch()
            return
        thread_liveness.interrupt()
        if self._end is not None and self._looks >= LOOKS_MAX:
            logger.critical("This process ends, for it hangs: whoever starts it again tries anew")
            self._end(EXIT_HANGS)

    def _try(self, call: Callable[[], None]) -> None:
        try:
            with unit_of_work():
                call()
        except Exception as error:
            logger.info("The heartbeat of this process was not written: %s", error)

    def beat(self) -> None:
        """Store the state and the partitions of the process now, and delete the rows of dead ones.

        Raises DatabaseError.
        """
        now, (state, assignment) = clock.now(), self._tell()
        said = {"state": state, "assignment": assignment, "beat_at": now}
        with failpoints.atomic("heartbeat"):
            if not ProcessRow.objects.filter(id=self._id).update(**said):
                ProcessRow.objects.create(
                    id=self._id,
                    role=self._role,
                    host=_host(),
                    pid=os.getpid(),
                    began_at=self._began_at,
                    release=str(settings.EVENTBUS.get("RELEASE", ""))[:RELEASE_CHARACTERS_MAX],
                    **said,
                )
            # One that has beaten meanwhile writes its row anew at its next beat.
            ProcessRow.objects.filter(id__in=[row.id for row in ProcessRow.objects.all() if _is_dead(row)]).delete()
        log_levels.follow(self._id)

    def _leave(self) -> None:
        with failpoints.atomic("heartbeat.leave"):
            ProcessRow.objects.filter(id=self._id).delete()


def touch() -> None:
    """Touch the liveness file for a supervisor on this machine, also while there is no database."""
    if settings.EVENTBUS_LIVENESS_FILE:
        try:
            Path(settings.EVENTBUS_LIVENESS_FILE).touch()
        except OSError as error:
            logger.warning("EVENTBUS_LIVENESS_FILE cannot be touched: %s", error)
