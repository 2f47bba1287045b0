"""Retry after contention: two writers blocked each other, and neither failed."""

import math
import random
import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from eventbus.errors import is_contention

# One key of a group waits so long for a lock that another program holds. Then the other keys get their turn.
CONTENTION_SECONDS = 5.0
CONTENTION_PAUSE_SECONDS = 0.05  # full jitter below this: the two writers do not block each other again at once

P = ParamSpec("P")
R = TypeVar("R")


class ContentionRetry:
    """Repeat a call while it raises a contention error, which is no failure and is never counted.

    The error is raised once `stop` is set, because the worker has to end, or after `seconds` and at least two tries.
    """

    def __init__(self, stop: threading.Event, seconds: float = math.inf) -> None:
        self._stop, self._seconds = stop, seconds

    @property
    def ends(self) -> bool:
        """True if the worker was asked to leave."""
        return self._stop.is_set()

    def __call__(self, run: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        until, tries = time.monotonic() + self._seconds, 0
        while True:
            tries += 1
            try:
                return run(*arguments, **named)
            except Exception as error:
                is_over = tries > 1 and time.monotonic() >= until  # a slow machine may need all seconds for the first
                if not is_contention(error) or self._stop.is_set() or is_over:
                    raise
            self._stop.wait(random.uniform(0, CONTENTION_PAUSE_SECONDS))
