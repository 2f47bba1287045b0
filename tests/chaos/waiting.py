"""Waiting for what is to come, beside other faults."""

import time
from collections.abc import Callable

import psycopg

LOOK_SECONDS = 0.3


def until(condition: Callable[[], object], seconds: float, clock: Callable[[], float] = time.monotonic) -> bool:
    """Whether it holds within so long. What cannot be asked now, with the database or a server away, is asked again."""
    deadline = clock() + seconds
    while clock() < deadline:
        try:
            if condition():
                return True
        except (psycopg.Error, RuntimeError, OSError):
            pass
        time.sleep(LOOK_SECONDS)  # between two looks of a poll that has a deadline
    return False
