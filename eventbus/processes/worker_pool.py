"""Run handlers for a log that several processes share. Each process has a thread for each of its groups."""

import logging
import threading
import time
from collections.abc import Collection, Iterable

from django.db import connections

from eventbus.backends import current
from eventbus.backends.base import TopicPartition
from eventbus.consuming.worker import Worker
from eventbus.registry import Group

logger = logging.getLogger(__name__)

JOIN_SECONDS = 25.0  # the time that running handlers have to finish: orchestrators commonly kill a process after 30
LOOK_SECONDS = 1.0  # between checks for threads that have ended


class WorkerPool:
    """The workers of some groups. A thread that ended by itself is started anew."""

    def __init__(self, handled: Collection[Group]) -> None:
        self._handled = list(handled)
        self._backend = current()
        self._workers: dict[str, Worker] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name="eventbus-workers", daemon=True)

    def start(self) -> None:
        """Start the pool in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the workers to stop after their current work. Safe in a signal handler's thread."""
        self._stop.set()
        self._backend.wake()

    def close(self) -> None:
        """Stop after the current work, and return."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS + LOOK_SECONDS)

    def assignment(self) -> dict[str, list[str]]:
        """Return the partitions that each group reads in this process, as "orders/0". Safe in any thread."""
        return {name: written(worker.partitions()) for name, worker in sorted(self._workers.items())}

    def run(self) -> None:
        """Run the workers until stopped."""
        threads: dict[str, threading.Thread] = {}
        while not self._stop.is_set():
            for group in self._handled:
                thread = threads.get(group.name)
                if thread is None or not thread.is_alive():
                    if thread is not None:
                        logger.error("The thread of group %s has ended; it begins anew", group.name)
                    threads[group.name] = self._begin(group)
            self._stop.wait(LOOK_SECONDS)
        self._backend.wake()
        deadline = time.monotonic() + JOIN_SECONDS
        for thread in threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _begin(self, group: Group) -> threading.Thread:
        worker = self._workers[group.name] = Worker(group, self._backend, self._stop)
        thread = threading.Thread(target=work, args=(worker,), name=f"eventbus-{group.name}", daemon=True)
        thread.start()
        return thread


def written(partitions: Iterable[TopicPartition]) -> list[str]:
    """Format partitions for people, such as "orders/0"."""
    return [f"{one.topic}/{one.partition}" for one in sorted(partitions)]


def work(worker: Worker) -> None:
    """Run a worker in its thread until it ends, then close it."""
    try:
        worker.run()
    finally:
        worker.close()
        connections.close_all()
