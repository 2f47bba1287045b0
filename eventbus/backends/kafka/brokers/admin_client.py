"""The admin client with which a process asks the brokers. It is replaced when it is outdated."""

import os
import threading
import time
from collections.abc import Callable

from confluent_kafka.admin import AdminClient

RENEW_SECONDS = 2.0  # between replacements: brokers that are just starting may give a new client the same answer
# Python frees a client with its last reference. If a thread still waits for the client's answer then, the process dies
# (SIGABRT, SIGSEGV, librdkafka 2.16). So a replaced client is kept for this time. No thread waits longer than a
# fraction of it.
RETIRED_SECONDS = 60.0

# Since when they are out of use, by the monotonic clock; also those of backends that are closed.
_retired: list[tuple[float, AdminClient]] = []
_retiring = threading.Lock()


class Admins:
    """The admin client, made by `make`. Clients do not survive a fork, so each process has its own."""

    def __init__(self, make: Callable[[], AdminClient]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._current: AdminClient | None = None
        self._pid = 0
        self._renewed = float("-inf")

    def current(self) -> AdminClient:
        """Return this process's client."""
        with self._lock:
            if self._current is None or self._pid != os.getpid():
                self._current, self._pid = self._make(), os.getpid()
            return self._current

    def renew(self) -> None:
        """Replace the client, unless it is new. The former one is kept until no thread can be waiting for it."""
        with self._lock:
            now = time.monotonic()
            if self._current is None or now - self._renewed < RENEW_SECONDS:
                return
            _retire(self._current, now)
            self._current, self._renewed = None, now

    def close(self) -> None:
        """Give up the client. It is kept as well: it may still have unanswered requests."""
        with self._lock:
            if self._current is not None:
                _retire(self._current, time.monotonic())
                self._current = None


def _retire(client: AdminClient, now: float) -> None:
    """Keep a client until no thread can be waiting for it, and free those for which that is so."""
    with _retiring:
        _retired[:] = [(since, one) for since, one in _retired if now - since < RETIRED_SECONDS]
        _retired.append((now, client))
