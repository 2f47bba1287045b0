"""Trying again what only met another writer."""

import random
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from eventbus.errors import is_contention

CONTENTION_PAUSE_SECONDS = 0.05  # full jitter below this: two writers that met do not meet again at once

P = ParamSpec("P")
R = TypeVar("R")


class Patience:
    """Run something again while it only met another writer: contention is no failure and is never counted.

    It ends when the worker is asked to leave: then the contention is raised.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def __call__(self, run: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        while True:
            try:
                return run(*arguments, **named)
            except Exception as error:
                if not is_contention(error) or self._stop.is_set():
                    raise
            self._stop.wait(random.uniform(0, CONTENTION_PAUSE_SECONDS))
