"""Waiting for what is to come, beside other faults."""

import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from tests.waiting import is_true_within

LOOK_SECONDS = 0.3


def until(condition: Callable[[], object], seconds: float, clock: Callable[[], float] = time.monotonic) -> bool:
    """Whether it holds within so long. What cannot be asked now, with the database or a server away, is asked again."""

    def holds() -> bool:
        with suppress(psycopg.Error, RuntimeError, OSError):
            return bool(condition())
        return False

    return is_true_within(seconds, holds, look=LOOK_SECONDS, clock=clock)
