"""A watch that all sockets of a process share."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from django.db import DatabaseError, InterfaceError, connections

from eventbus.errors import LogUnavailable

logger = logging.getLogger(__name__)

AWAY = (DatabaseError, InterfaceError, LogUnavailable)  # faults that stop its start; who waits for it tries again


class Watching(Protocol):
    def close(self) -> None: ...


class SharedWatch:
    """One watch of the process, started by the first socket that needs it. Any thread may call it."""

    def __init__(self, name: str, begin: Callable[[], Watching]) -> None:
        self._name, self._begin = name, begin
        self._lock = threading.Lock()
        self._watch: Future[Watching] | None = None

    async def start(self) -> None:
        """Start the watch if it is not running. It receives every event that is published after the return.

        Raises one of AWAY if the database or the event log is unavailable, perhaps after a long wait. All callers wait
        for the same attempt, which has a thread of its own.
        """
        with self._lock:
            if self._watch is None or (self._watch.done() and self._watch.exception()):
                self._watch = Future()
                # A daemon: while the brokers do not answer it takes long, and the process may end.
                threading.Thread(target=self._run, args=[self._watch], name=self._name, daemon=True).start()
            watch = self._watch
        await asyncio.shield(asyncio.wrap_future(watch))  # one visitor who leaves early does not cancel it for all

    def close(self) -> None:
        """Stop watching. The sockets stay and are woken no more."""
        with self._lock:
            watch, self._watch = self._watch, None
        if watch is not None:
            watch.add_done_callback(_close)

    def _run(self, watch: "Future[Watching]") -> None:
        try:
            watch.set_result(self._begin())
        except BaseException as error:
            logger.exception("%s cannot start", self._name)  # once, for all callers
            watch.set_exception(error)
        finally:
            connections.close_all()


def _close(watch: "Future[Watching]") -> None:
    if not watch.exception():
        watch.result().close()
