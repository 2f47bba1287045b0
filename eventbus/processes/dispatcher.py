"""Run the relay in one process at a time, by lease. For an in-process backend, also run all groups' workers."""

import logging
import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from django.db import DatabaseError, InterfaceError, connections

from eventbus import registry
from eventbus.backends import current
from eventbus.consuming.thread_liveness import Pulse
from eventbus.consuming.worker import Worker
from eventbus.database.leases import BEAT_SECONDS, RELAY, Lease
from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import LeaseLost, LogUnavailable, WorkerDied, is_infrastructure_error
from eventbus.models import ProcessRow
from eventbus.operations.heartbeats import Told
from eventbus.processes.bulk_schedule import BulkSchedule
from eventbus.processes.pruning_schedule import PruningSchedule
from eventbus.processes.replay_schedule import ReplaySchedule
from eventbus.processes.worker_pool import JOIN_SECONDS, WorkerPool, work, written
from eventbus.progress import group_starts
from eventbus.publishing.relay import BROKEN_SECONDS, Relay
from eventbus.registry import Group
from eventbus.wakeups import published

logger = logging.getLogger(__name__)

PULSE_SECONDS = 600.0  # appending a lost log again takes minutes; unsent events are reported far earlier
POLL_SECONDS = 0.2  # the longest delay until an event of another process is seen
STANDBY_SECONDS = 0.25  # between two tries of a process that stands by to get the lease
SCHEDULES = (  # what the process that dispatches does beside, by the name of its thread
    ("eventbus-pruning", PruningSchedule),
    ("eventbus-bulk-runs", BulkSchedule),
    ("eventbus-replays", ReplaySchedule),
)


class Dispatcher:
    """The loop that stands by until the lease is free, then relays and handles until stopped."""

    def __init__(self) -> None:
        self.active = threading.Event()
        self._backend = current()
        self._stop = threading.Event()
        self._lease = Lease(RELAY)
        self._pulse = Pulse("The relay", PULSE_SECONDS)
        self._workers: WorkerPool | None = None
        self._thread = threading.Thread(target=self.run, name="eventbus-dispatcher", daemon=True)

    @classmethod
    def start_in_process(cls) -> "Dispatcher":
        """Start a dispatcher in the background. For a log that several processes share, also start a worker pool."""
        dispatcher = cls()
        if not dispatcher._backend.in_process:
            dispatcher._workers = WorkerPool(registry.groups.values())
            dispatcher._workers.start()
        dispatcher.start()
        return dispatcher

    def start(self) -> None:
        """Start the dispatcher in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the dispatcher to stop after its current work. Safe in a signal handler's thread."""
        self._stop.set()
        if self._workers is not None:
            self._workers.stop()
        published.ring()
        self._backend.wake()

    def close(self) -> None:
        """Stop after the current work, release the lease, and return."""
        self.stop()
        if self._workers is not None:
            self._workers.close()
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS + BEAT_SECONDS)

    def tell(self) -> Told:
        """Return the dispatcher's state for operators, and the partitions that each group reads in this process."""
        state = ProcessRow.State.ACTIVE if self.active.is_set() else ProcessRow.State.STANDBY
        if self._workers is not None:
            return state, self._workers.assignment()
        if not self._backend.in_process or state is ProcessRow.State.STANDBY:
            return state, {}
        groups = sorted(registry.groups.items())
        return state, {name: written(self._backend.partitions(group.topics)) for name, group in groups}

    def run(self) -> None:
        """Stand by and dispatch until stopped."""
        try:
            with self._pulse.alive():
                self._go_on()
        finally:
            connections.close_all()

    def _go_on(self) -> None:
        while not self._stop.is_set():
            self._pulse.beat()
            try:
                self._lead_or_stand_by()
            except LeaseLost as error:
                logger.warning("This process dispatches no more, and stands by: %s", error)
            except Exception as error:
                seconds = random.uniform(BROKEN_SECONDS / 2, BROKEN_SECONDS)
                logger.warning("The dispatcher cannot begin, and tries again in %.1f s: %s", seconds, error)
                self._stop.wait(seconds)

    def _lead_or_stand_by(self) -> None:
        with unit_of_work():
            if not self._lease.acquire():
                self._stop.wait(STANDBY_SECONDS)
                return
        try:
            self._lead()
        finally:
            self._leave()

    def _lead(self) -> None:
        self._backend.reset()
        stop_workers = threading.Event()
        with unit_of_work():
            Relay(self._backend, self._lease, self._pulse.beat).begin()  # before a new group begins where the log ends
            group_starts.ensure(self._backend, registry.groups.values())  # before the relay appends anything
        handled = sorted(registry.groups.items()) if self._backend.in_process else []
        threads = [self._thread_of(group, stop_workers) for _, group in handled]
        beside = [
            threading.Thread(target=schedule(stop_workers, self._lease.check).run, name=name, daemon=True)
            for name, schedule in SCHEDULES
        ]
        try:
            for thread in (*threads, *beside):
                thread.start()
            self.active.set()
            logger.info("This process dispatches events")
            self._relay(threads)
        finally:
            self.active.clear()
            stop_workers.set()
            self._backend.reset()
            self._backend.wake()
            self._await([*threads, *beside])

    def _leave(self) -> None:
        """Release the lease, also if the dispatcher could not begin.

        A failure is only logged: it must not hide another error.
        """
        try:
            with unit_of_work():
                self._lease.release()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The lease is left to itself: %s", error)

    def _thread_of(self, group: Group, stop: threading.Event) -> threading.Thread:
        worker = Worker(group, self._backend, stop, self._lease.check)
        return threading.Thread(target=work, args=(worker,), name=f"eventbus-{group.name}", daemon=True)

    def _await(self, threads: Sequence[threading.Thread]) -> None:
        """Let the workers finish their current work.

        Keep the lease meanwhile, or another process might do the same work.
        """
        deadline = time.monotonic() + JOIN_SECONDS
        while (busy := [thread for thread in threads if thread.is_alive()]) and time.monotonic() < deadline:
            with suppress(LeaseLost, DatabaseError, InterfaceError):
                self._lease.beat()
            busy[0].join(BEAT_SECONDS)

    def _relay(self, workers: Sequence[threading.Thread]) -> None:
        relay = Relay(self._backend, self._lease, self._pulse.beat)
        beaten, was_away = time.monotonic(), False
        while not self._stop.is_set():
            self._pulse.beat()
            seen = published.rings
            if not all(thread.is_alive() for thread in workers):
                raise WorkerDied("A group's thread has ended; all begin anew")
            try:
                with unit_of_work():
                    if time.monotonic() - beaten >= BEAT_SECONDS:
                        self._lease.refuse_earlier()  # before this beat hides that the database forgot an earlier one
                        self._lease.beat()
                        beaten = time.monotonic()
                    if was_away:
                        relay.begin()  # a database is restored only while it has no connections
                        was_away = False
                    moved = relay.step()
            except (DatabaseError, InterfaceError, LogUnavailable) as error:
                if not is_infrastructure_error(error):
                    raise
                seconds = random.uniform(BROKEN_SECONDS / 2, BROKEN_SECONDS)
                logger.warning("The relay cannot go on, and tries again in %.1f s: %s", seconds, error)
                was_away = was_away or not isinstance(error, LogUnavailable)
                self._stop.wait(seconds)
                continue
            if not moved and not self._stop.is_set():
                published.wait(seen, POLL_SECONDS)
