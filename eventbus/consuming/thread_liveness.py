"""Signs of life of the working threads: each thread sets the time at which its next sign is due.

A separate thread could not do this, since it would go on while a working thread hangs. `operations/heartbeats.py`
reports the signs to supervisors.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from eventbus.events import Record

LOOP_SECONDS = 60.0  # the longest round of a thread's loop: waits for locks, servers or brokers are far shorter

_pulses: set["Pulse"] = set()  # of this process


class Pulse:
    """The sign of life of one thread. Only that thread calls `beat`."""

    def __init__(self, name: str, seconds: float = LOOP_SECONDS) -> None:
        self.name = name
        self._seconds = seconds
        self._until = math.inf
        self._in_hand: Record | None = None
        self._interrupt: Callable[[], None] | None = None

    @contextmanager
    def alive(self) -> Iterator["Pulse"]:
        """Expect the thread to beat while this context lasts."""
        self.beat()
        _pulses.add(self)
        try:
            yield self
        finally:
            _pulses.discard(self)

    def beat(self) -> None:
        """Give a sign of life. The next one is due within one round."""
        self._in_hand = self._interrupt = None
        self._until = time.monotonic() + self._seconds

    def begins(self, record: Record, seconds: float, interrupt: Callable[[], None] | None) -> None:
        """Note that a record's handlers are called, which may take `seconds`.

        `interrupt` ends the statement that they run, and is safe in any thread.
        """
        self._in_hand, self._interrupt = record, interrupt
        self._until = time.monotonic() + seconds

    def overdue(self) -> "Overdue | None":
        """Return by how much the thread is overdue, or None if it is not. Safe in any thread."""
        over, record = time.monotonic() - self._until, self._in_hand
        if over <= 0:
            return None
        what = f"{record.type} {record.event_id} (key {record.key})" if record else ""
        return Overdue(self.name, over, what)

    def interrupt(self) -> None:
        """End the database statement of the handler that the thread runs, if that is possible."""
        interrupt = self._interrupt
        if interrupt is not None:
            interrupt()


class Overdue(msgspec.Struct, frozen=True):
    """A thread whose sign of life is overdue: by how many seconds, and which event its handler has (`what`)."""

    name: str
    seconds: float
    what: str

    def __str__(self) -> str:
        return f"{self.name} is {self.seconds:.0f} s over its time{f' in {self.what}' if self.what else ''}"


def overdue() -> list[Overdue]:
    """Return the overdue threads of this process, by name."""
    return sorted((found for pulse in list(_pulses) if (found := pulse.overdue())), key=lambda one: one.name)


def interrupt() -> None:
    """End the database statements of all handlers in overdue threads."""
    for pulse in list(_pulses):
        if pulse.overdue():
            with suppress(Exception):  # the connection may be closed by now: then nothing runs on it
                pulse.interrupt()
