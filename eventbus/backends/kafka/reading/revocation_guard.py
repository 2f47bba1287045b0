"""What a reader's owner has in hand: a partition that is to move waits for it, or the next one would think it died."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)

HOLD_SECONDS = 30.0  # longer than a server's answer to an effect is waited for


def hold_seconds(config: Mapping[str, Any]) -> float:
    """How long a client may wait for what is in hand: it polls nothing meanwhile, and is thrown out after a while."""
    return min(HOLD_SECONDS, int(config["max.poll.interval.ms"]) / 1_000 / 2)


class RevocationGuard:
    """Of one thread that works, for another that waits. `change` is notified by whoever ends the wait."""

    def __init__(self, change: threading.Condition, seconds: float) -> None:
        self._change, self._seconds = change, seconds
        self._works, self._worked = False, 0  # whether it is at work, and how often it was

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While it lasts something may be in hand."""
        with self._change:
            self._works = True
        try:
            yield
        finally:
            with self._change:
                self._works, self._worked = False, self._worked + 1
                self._change.notify_all()

    def wait(self, unless: Callable[[], bool]) -> None:
        """Until what is in hand now is done; what is begun afterwards does not count."""
        with self._change:
            worked = self._worked
            done = self._change.wait_for(
                lambda: not self._works or self._worked != worked or unless(), timeout=self._seconds
            )
        if not done:
            logger.warning("What is in hand takes over %g s: its partition may be read by another", self._seconds)
