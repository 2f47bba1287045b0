"""Let a revocation wait until the worker has ended its current work.

Otherwise the partition's next owner would find unfinished work, and take it for that of a crashed process.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)

HOLD_SECONDS = 30.0  # longer than an effect waits for a server's answer


def hold_seconds(config: Mapping[str, Any]) -> float:
    """Return the time for which a revocation may wait.

    A client that does not poll for too long is expelled by the brokers.
    """
    return min(HOLD_SECONDS, int(config["max.poll.interval.ms"]) / 1_000 / 2)


class RevocationGuard:
    """A guard by which one thread waits for another one's work. To end the wait early, notify `change`."""

    def __init__(self, change: threading.Condition, seconds: float) -> None:
        self._change, self._seconds = change, seconds
        self._works, self._worked = False, 0  # True while the thread works, and how often it has ended work

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Mark the thread as working while the context is open."""
        with self._change:
            self._works = True
        try:
            yield
        finally:
            with self._change:
                self._works, self._worked = False, self._worked + 1
                self._change.notify_all()

    def wait(self, unless: Callable[[], bool]) -> None:
        """Wait until the current work is done, or until the time is over. Work that begins meanwhile does not count."""
        with self._change:
            worked = self._worked
            done = self._change.wait_for(
                lambda: not self._works or self._worked != worked or unless(), timeout=self._seconds
            )
        if not done:
            logger.warning("What is in hand takes over %g s: its partition may be read by another", self._seconds)
