"""Draining: this process first announces that it stops, and stops later, so that no visitor notices.

It serves for some more seconds, while a proxy or an orchestrator notices and sends visitors elsewhere. This module
works without configured settings: servers import it before the site.
"""

import asyncio
import signal
import threading
from types import FrameType

from django.conf import settings

_asked = threading.Event()


def leave() -> None:
    """Announce that no further visitors shall come."""
    _asked.set()


def is_leaving() -> bool:
    """Return whether this process was told to stop."""
    return _asked.is_set()


def stay() -> None:
    """Accept visitors again. For tests."""
    _asked.clear()


def seconds() -> float:
    """Return how long to serve on after SIGTERM; 0 before the site is loaded, for then nobody is served."""
    return float(settings.DRAIN_SECONDS) if settings.configured else 0.0


def on_sigterm() -> None:
    """Pass the first SIGTERM to the server only after `seconds()`, when it has drained. Pass a second one at once.

    Call it in the server's event loop, once the server has its own handler. If it has none, as in a test, nothing
    changes.
    """
    server, loop = signal.getsignal(signal.SIGTERM), asyncio.get_running_loop()
    if not callable(server) or threading.current_thread() is not threading.main_thread():
        return

    def handle_signal(number: int, frame: FrameType | None) -> None:
        if is_leaving():
            server(number, frame)
            return
        leave()
        loop.call_soon_threadsafe(loop.call_later, seconds(), server, number, None)

    signal.signal(signal.SIGTERM, handle_signal)
