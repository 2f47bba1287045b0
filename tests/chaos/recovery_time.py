"""What counts of the time that it takes after a fault until everything flows again."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Calm:
    """A clock that stands still while anything is being done that holds up what is timed.

    While the broker is away nothing recovers from the death of a worker before, and faults come faster than one lasts.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lasting = 0
        self._passed, self._since = 0.0, clock()

    @contextmanager
    def broken(self) -> Iterator[None]:
        """A fault lasts."""
        with self._lock:
            self._passed, self._since = self._now(), self._clock()
            self._lasting += 1
        try:
            yield
        finally:
            with self._lock:
                self._passed, self._since = self._now(), self._clock()
                self._lasting -= 1

    def seconds(self) -> float:
        with self._lock:
            return self._now()

    def _now(self) -> float:
        return self._passed if self._lasting else self._passed + self._clock() - self._since
