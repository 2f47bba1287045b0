"""Leaving so that no visitor notices: first this process says that it stops, and only later it does.

For some seconds it serves on, while whoever leads visitors here (a proxy, an orchestrator) finds out and leads them
elsewhere. This module needs no Django: servers load it before the site.
"""

import asyncio
import signal
import threading
from types import FrameType

from django.conf import settings

_asked = threading.Event()


def leave() -> None:
    """Say from now on that no further visitors shall come."""
    _asked.set()


def is_leaving() -> bool:
    """Whether this process was asked to stop."""
    return _asked.is_set()


def stay() -> None:
    """Take visitors again. For tests."""
    _asked.clear()


def seconds() -> float:
    """How long to serve on after being asked to stop; none before the site is loaded, for then nobody is served."""
    return float(settings.DRAIN_SECONDS) if settings.configured else 0.0


def on_sigterm() -> None:
    """Let a server that runs in this thread's event loop hear of SIGTERM only once it has drained. A second is heard.

    Call it once the server has its own handler. Without one, as in a test, nothing changes.
    """
    server, loop = signal.getsignal(signal.SIGTERM), asyncio.get_running_loop()
    if not callable(server) or threading.current_thread() is not threading.main_thread():
        return

    def hear(number: int, frame: FrameType | None) -> None:
        if is_leaving():
            server(number, frame)
            return
        leave()
        loop.call_soon_threadsafe(loop.call_later, seconds(), server, number, None)

    signal.signal(signal.SIGTERM, hear)
