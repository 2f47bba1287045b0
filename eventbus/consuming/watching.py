"""Receive events from now on, in every process that serves browsers: no retry, no progress kept."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections

from eventbus.backends import current
from eventbus.consuming import trust
from eventbus.database.unit_of_work import unit_of_work
from eventbus.declaration.upcasting import readable_types
from eventbus.events import Event, Record, Undecodable, open_event

logger = logging.getLogger(__name__)

RECORDS_AT_ONCE = 500  # records in one call of the handler, which usually hands them to an event loop
WAIT_SECONDS = 1.0
BROKEN_SECONDS = 1.0  # between attempts while the log cannot be read
JOIN_SECONDS = 5.0  # the longest wait for a closing watch to end its fetch or call
ENDING_SECONDS = 2.0  # the same for all watches together when the process ends: the rest of the bus waits meanwhile

_running: set["Watch"] = set()  # of this process


class Watch:
    """A running watch. `close()` ends it, and `call` is not called after that."""

    def __init__(
        self,
        event_types: Sequence[type[Event]],
        call: Callable[[list[Any]], None],
        reset: Callable[[], None] | None,
    ) -> None:
        self._types = {name: event_type for event_type in event_types for name in readable_types(event_type)}
        self._call, self._reset = call, reset
        self._lost = False
        self._backend = current()
        self._stop = threading.Event()
        topics = sorted({event_type.topic for event_type in event_types})
        self._consumer = self._backend.consumer(topics)
        try:
            for partition in self._consumer.assignment():
                self._consumer.seek(partition, self._backend.end(partition))  # as a number, so that no event is missed
            self._thread = threading.Thread(target=self._run, name="eventbus-watch", daemon=True)
            self._thread.start()
        except BaseException:
            self._consumer.close()  # nothing else would: the caller gets no watch, and the thread does not run
            raise

    def close(self) -> None:
        """Stop receiving."""
        self._stop.set()
        self._backend.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        _running.add(self)
        try:
            while not self._stop.is_set():
                seen = self._backend.seen()
                try:
                    with unit_of_work():
                        self._start_anew()
                        heard = self._receive()
                except Exception:
                    logger.warning("A watch could not read the log; it starts anew", exc_info=True)
                    self._lost = True
                    self._stop.wait(BROKEN_SECONDS)
                    continue
                if not heard:
                    self._backend.wait(seen, WAIT_SECONDS)
        finally:
            self._consumer.close()
            connections.close_all()
            _running.discard(self)

    def _receive(self) -> int:
        records = trust.sift(self._consumer.fetch(RECORDS_AT_ONCE), lambda record: self._types.get(record.type))
        events = [event for record in records if (event := self._open(record)) is not None]
        if events and not self._stop.is_set():
            self._call(events)
        return len(records)

    def _open(self, record: Record) -> Event | None:
        event_type = self._types.get(record.type)
        if event_type is None or not record.trusted:
            return None
        try:
            return open_event(record, event_type)
        except Undecodable as error:
            logger.warning("A watch left out what it cannot read: %s", error)
            return None

    def _start_anew(self) -> None:
        """After a failure call `reset` until it succeeds, because the caller may lack a batch. Offsets are kept."""
        if self._lost and self._reset is not None:
            self._reset()
        self._lost = False


def watches(
    *event_types: type[Event],
    call: Callable[[list[Any]], None],
    reset: Callable[[], None] | None = None,
) -> Watch:
    """Receive these events from now on: `call(events)` in the watch's thread, in batches, in order per key.

    Returns once the watch has noted where the log ends. Load your state after that, so that no event is lost in
    between. `reset()` is called when events may have been missed: load your state again.
    """
    return Watch(event_types, call, reset)


def close_all() -> None:
    """End all watches of the process, so that no thread is in the database or the log when Python exits."""
    ending = list(_running)
    for watch in ending:
        watch._stop.set()
        watch._backend.wake()
    deadline = time.monotonic() + ENDING_SECONDS
    for watch in ending:
        watch._thread.join(max(0.0, deadline - time.monotonic()))
    busy = sum(watch._thread.is_alive() for watch in ending)
    if busy:
        logger.warning("Watches that are left in the middle of something: %d", busy)
    if ending:
        logger.info("Watches that have ended: %d", len(ending) - busy)
