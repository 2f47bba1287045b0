"""What a reader's owner has in hand: a partition that is to move waits for it, or the next one would think it died."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

# Longer than a server's answer to an effect is waited for. Nothing is polled meanwhile, which POLL_INTERVAL_MS allows
# for much longer.
HOLD_SECONDS = 30.0


class Hand:
    """Of one thread that works, for another that waits. `change` is notified by whoever ends the wait."""

    def __init__(self, change: threading.Condition) -> None:
        self._change = change
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
                lambda: not self._works or self._worked != worked or unless(), timeout=HOLD_SECONDS
            )
        if not done:
            logger.warning("What is in hand takes longer than %g s: its partition may be read by another", HOLD_SECONDS)
