"""Running the bus in the foreground, for the commands that do nothing else: until SIGTERM or SIGINT."""

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from django.core.management.base import CommandError

from eventbus import backends, operations
from eventbus.dispatcher import Dispatcher
from eventbus.heartbeats import Heartbeat
from eventbus.registry import Group
from eventbus.workers import Workers


class Part(Protocol):
    """What relays or handles until it is stopped."""

    def run(self) -> None: ...

    def stop(self) -> None: ...


def relay_until_stopped() -> None:
    """Relay, and handle where one process does all. Raises CommandError when another does it."""
    _refuse_beside_another()
    dispatcher = Dispatcher()
    with Heartbeat("relay", dispatcher.tell):
        _until_stopped(dispatcher, "eventbus-dispatcher")


def handle_until_stopped(groups: Collection[Group]) -> None:
    """Handle for these groups, beside any number of others. Only for a log that many processes share."""
    workers = Workers(groups)
    with Heartbeat("handle", lambda: ("", workers.assignment())):
        _until_stopped(workers, "eventbus-workers")


def _until_stopped(part: Part, name: str) -> None:
    """Run it; return after what is in hand, once asked to stop."""
    # In a thread, so that a signal meets this one, which holds no lock of the part's.
    thread = threading.Thread(target=part.run, name=name, daemon=True)
    with on_signal(part.stop):
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
