"""Signs of life of the working threads: each thread sets the time at which its next sign is due.

The working threads do so themselves: a separate thread would go on while a working thread hangs.
`operations/heartbeats.py` reports to supervisors.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from eventbus.events import Record

LOOP_SECONDS = 60.0  # one round of a loop: every wait for a lock, a server or the brokers is far shorter

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
        """Note that a handler is called, which may take so long. `interrupt` ends its statement, from any thread."""
        self._in_hand, self._interrupt = record, interrupt
        self._until = time.monotonic() + seconds

    def overdue(self) -> "Overdue | None":
        """Return how long the thread is overdue, or None. Safe in any thread."""
        over, record = time.monotonic() - self._until, self._in_hand
        if over <= 0:
            return None
        what = f"{record.type} {record.event_id} (key {record.key})" if record else ""
        return Overdue(self.name, over, what)

    def interrupt(self) -> None:
        """End the statement of a handler that is over its limit, where that is possible."""
        interrupt = self._interrupt
        if interrupt is not None:
            interrupt()


class Overdue(msgspec.Struct, frozen=True):
    """A thread whose sign of life is overdue: for how many seconds, and with which event in hand."""

    name: str
    seconds: float
    what: str

    def __str__(self) -> str:
        return f"{self.name} is {self.seconds:.0f} s over its time{f' in {self.what}' if self.what else ''}"


def overdue() -> list[Overdue]:
    """Return the overdue threads of this process, by name."""
    return sorted((found for pulse in list(_pulses) if (found := pulse.overdue())), key=lambda one: one.name)


def interrupt() -> None:
    """End the statements of all handlers that are over their limits."""
    for pulse in list(_pulses):
        if pulse.overdue():
            with suppress(Exception):  # the connection may be closed by now: then nothing runs on it
                pulse.interrupt()
