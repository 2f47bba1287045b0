"""The client that asks brokers what there is: one a process, and another where it has become outdated."""

import os
import threading
import time
from collections.abc import Callable

from confluent_kafka.admin import AdminClient

RENEW_SECONDS = 2.0  # a new one may be told the same for a moment, by brokers that are just starting
# A client dies with its last reference. One that still answers somebody would take the process along (SIGABRT, SIGSEGV,
# librdkafka 2.16): nobody waits for an answer longer than for a fraction of this.
RETIRED_SECONDS = 60.0


class Admins:
    """`make` makes one. Clients do not survive a fork, so each process has its own."""

    def __init__(self, make: Callable[[], AdminClient]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._current: AdminClient | None = None
        self._pid = 0
        self._renewed = float("-inf")
        self._retired: list[tuple[float, AdminClient]] = []  # since when, by the monotonic clock

    def current(self) -> AdminClient:
        """The one to ask now."""
        with self._lock:
            if self._current is None or self._pid != os.getpid():
                self._current, self._pid = self._make(), os.getpid()
            return self._current

    def renew(self) -> None:
        """Ask another from now on, unless this one is new. The former lives on until nobody can be waiting for it."""
        with self._lock:
            now = time.monotonic()
            if self._current is None or now - self._renewed < RENEW_SECONDS:
                return
            self._retired = [(since, one) for since, one in self._retired if now - since < RETIRED_SECONDS]
            self._retired.append((now, self._current))
            self._current, self._renewed = None, now
