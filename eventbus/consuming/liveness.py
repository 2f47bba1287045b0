"""Signs of life of the threads that do the work: each says by when it will say the next one.

A thread of its own that said so would say it for one that hangs. Supervisors hear of it by heartbeats.py.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from eventbus.events import Record

LOOP_SECONDS = 60.0  # a round of a loop: each wait for a lock, a server or the brokers ends far earlier

_pulses: set["Pulse"] = set()  # of this process


class Pulse:
    """One thread's. Only that thread beats it."""

    def __init__(self, name: str, seconds: float = LOOP_SECONDS) -> None:
        self.name = name
        self._seconds = seconds
        self._until = math.inf
        self._in_hand: Record | None = None
        self._interrupt: Callable[[], None] | None = None

    @contextmanager
    def alive(self) -> Iterator["Pulse"]:
        """While it lasts, the thread is expected to beat."""
        self.beat()
        _pulses.add(self)
        try:
            yield self
        finally:
            _pulses.discard(self)

    def beat(self) -> None:
        """The next one comes within one round."""
        self._in_hand = self._interrupt = None
        self._until = time.monotonic() + self._seconds

    def begins(self, record: Record, seconds: float, interrupt: Callable[[], None] | None) -> None:
        """A handler is called, which may take so long. `interrupt` ends its statement, from any thread."""
        self._in_hand, self._interrupt = record, interrupt
        self._until = time.monotonic() + seconds

    def overdue(self) -> "Overdue | None":
        """How it hangs; None while it does not. For any thread."""
        over, record = time.monotonic() - self._until, self._in_hand
        if over <= 0:
            return None
        what = f"{record.type} {record.event_id} (key {record.key})" if record else ""
        return Overdue(self.name, over, what)

    def interrupt(self) -> None:
        """End the statement that a handler over its limit is in, where that can be done."""
        interrupt = self._interrupt
        if interrupt is not None:
            interrupt()


class Overdue(msgspec.Struct, frozen=True):
    """A thread that has not said in time that it lives: for how many seconds, and the event that it has in hand."""

    name: str
    seconds: float
    what: str

    def __str__(self) -> str:
        return f"{self.name} is {self.seconds:.0f} s over its time{f' in {self.what}' if self.what else ''}"


def overdue() -> list[Overdue]:
    """Those of this process that hang."""
    return sorted((found for pulse in list(_pulses) if (found := pulse.overdue())), key=lambda one: one.name)


def interrupt() -> None:
    """End the statements of all handlers that are over their limits."""
    for pulse in list(_pulses):
        if pulse.overdue():
            with suppress(Exception):  # the connection may be closed by now: then nothing runs on it
                pulse.interrupt()
