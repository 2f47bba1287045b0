"""Waiting for what is to come: look again and again, until it holds or the deadline is over."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection
from typing import Any

DEADLINE_SECONDS = 60.0  # for what must happen soon, beside minutes of chaos on the same two cores
START_SECONDS = 90.0  # for a server that starts, on the same machine
LOOK_SECONDS = 0.02  # between looks
ANSWER_SECONDS = 5.0  # of one look at a server


def until(
    condition: Callable[[], Any],
    what: str | Callable[[], str],
    *,
    seconds: float | None = None,
    look: float = LOOK_SECONDS,
    alive: Collection[subprocess.Popen[Any]] = (),
) -> None:
    """Look until it holds. Fail after the deadline, or when one of the processes that must live has ended.

    `what`: what is waited for, or what gives the logs that say why it did not come.
    """

    def ended() -> list[Any]:
        return [one.args for one in alive if one.poll() is not None]

    if not is_true_within(
        DEADLINE_SECONDS if seconds is None else seconds, condition, look=look, gives_up=lambda: bool(ended())
    ):
        why = f"ended by itself: {ended()}" if ended() else "not in time"
        raise AssertionError(f"{why}: {what if isinstance(what, str) else what()}")


def is_true_within(
    seconds: float,
    condition: Callable[[], Any],
    *,
    look: float = LOOK_SECONDS,
    gives_up: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Whether it holds within so long."""
    deadline = clock() + seconds
    while not condition():
        if gives_up() or clock() > deadline:
            return False
        time.sleep(look)
    return True


def answers(url: str) -> bool:
    """Whether a page is there now."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def listens(port: int) -> bool:
    """Whether somebody takes connections there now."""
    try:
        socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS).close()
    except OSError:
        return False
    return True
