"""Let a revocation wait for work in hand, or the partition's next owner would take that work for left by a crash."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)

HOLD_SECONDS = 30.0  # longer than an effect waits for a server's answer


def hold_seconds(config: Mapping[str, Any]) -> float:
    """Return the time that a client may wait for work in hand: without a poll for too long, it is expelled."""
    return min(HOLD_SECONDS, int(config["max.poll.interval.ms"]) / 1_000 / 2)


class RevocationGuard:
    """A guard between one thread that works and one that waits. To end the wait, notify `change`."""

    def __init__(self, change: threading.Condition, seconds: float) -> None:
        self._change, self._seconds = change, seconds
        self._works, self._worked = False, 0  # whether it is at work, and how often it was

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
        """Wait until the present work is done, but not for ever; work begun afterwards does not count."""
        with self._change:
            worked = self._worked
            done = self._change.wait_for(
                lambda: not self._works or self._worked != worked or unless(), timeout=self._seconds
            )
        if not done:
            logger.warning("What is in hand takes over %g s: its partition may be read by another", self._seconds)
