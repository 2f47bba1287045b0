"""Run the relay or the workers in the foreground until SIGTERM or SIGINT, for the commands that do nothing else."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Protocol

from django.core.management.base import CommandError

from eventbus import backends
from eventbus.database.leases import RELAY, is_beating
from eventbus.operations.heartbeats import Heartbeat
from eventbus.processes.dispatcher import Dispatcher
from eventbus.processes.worker_pool import WorkerPool
from eventbus.registry import Group
from eventbus.tracing import switch

logger = logging.getLogger(__name__)


class Part(Protocol):
    """A part of the bus that relays or handles until it is stopped."""

    def run(self) -> None: ...

    def stop(self) -> None: ...


def relay_until_stopped() -> None:
    """Relay until stopped, and with an in-process backend also handle.

    Raises CommandError if the backend is in-process and another process dispatches already.
    """
    _refuse_beside_another()
    switch.start("relay")
    dispatcher = Dispatcher()
    with Heartbeat("relay", dispatcher.tell, end=os._exit):
        _until_stopped(dispatcher, "eventbus-dispatcher")


def handle_until_stopped(groups: Collection[Group]) -> None:
    """Run these groups' handlers until stopped. Any number of processes may do so.

    Only for a backend that they share.
    """
    switch.start("handle")
    workers = WorkerPool(groups)
    with Heartbeat("handle", lambda: ("", workers.assignment()), end=os._exit):
        _until_stopped(workers, "eventbus-workers")


def _until_stopped(part: Part, name: str) -> None:
    """Run the part. Once a signal asks it to stop, return after its current work."""
    # In a thread, so that this one is free for signals, however long a step of the part takes.
    thread = threading.Thread(target=part.run, name=name, daemon=True)
    with on_signal(part.stop):
        thread.start()
        thread.join()


def _refuse_beside_another() -> None:
    """Raise CommandError if another process dispatches, and the backend is in-process.

    A second one would only stand by.
    """
    if backends.current().in_process and is_beating(RELAY):
        raise CommandError(
            "Another process relays and handles already, and this backend needs only one. Most likely it is the "
            "server: stop it, or start it with RUN_BUS_IN_SERVER=0, and run this again. "
            "Or leave all as it is: events flow."
        )


@contextmanager
def on_signal(stop: Callable[[], None]) -> Iterator[None]:
    """In this context, SIGTERM and SIGINT do not end the process: `stop` is called, in a separate thread.

    A signal handler interrupts the main thread anywhere, even in another signal handler. If it took a lock that the
    main thread holds, such as that of a threading.Event, it would wait for ever. A SimpleQueue's `put` is safe: another
    `put` may interrupt it.
    """
    asked: SimpleQueue[bool] = SimpleQueue()

    def attend() -> None:
        while asked.get():
            try:
                stop()
            except Exception:
                logger.exception("What was to stop did not; ask once more, or kill it")

    attending = threading.Thread(target=attend, name="eventbus-signals", daemon=True)
    before = {number: signal.signal(number, lambda *_: asked.put(True)) for number in (signal.SIGTERM, signal.SIGINT)}
    attending.start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        asked.put(False)
        attending.join()
