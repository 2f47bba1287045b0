"""Running the bus in the foreground, for the commands that do nothing else: until SIGTERM or SIGINT."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError

from eventbus import backends, operations
from eventbus.dispatcher import Dispatcher


def run_until_stopped() -> None:
    """Relay and handle; return after what is in hand, once asked to stop. Raises CommandError when another does it."""
    _refuse_beside_another()
    dispatcher = Dispatcher()
    # In a thread, so that a signal meets this one, which holds no lock of the dispatcher's.
    thread = threading.Thread(target=dispatcher.run, name="eventbus-dispatcher", daemon=True)
    with on_signal(dispatcher.stop):
        thread.start()
        thread.join()


def _refuse_beside_another() -> None:
    """With such a backend one process does all; a second would only stand by, and its operator wait in vain."""
    if backends.current().in_process and operations.is_beating():
        raise CommandError(
            "Another process relays and handles already, and this backend needs only one. Most likely it is the "
            "server: stop it, or start it with IN_PROCESS=0, and run this again. Or leave all as it is: events flow."
        )


@contextmanager
def on_signal(stop: Callable[[], None]) -> Iterator[None]:
    """While it lasts, SIGTERM and SIGINT ask to stop instead of stopping. No lock of this thread may be in `stop`."""

    def ask(number: int, frame: Any) -> None:
        stop()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
