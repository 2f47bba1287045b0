"""Run one consumer group's loop: fetch a batch, handle it, store its offset."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import groupby

from eventbus import failpoints
from eventbus.backends.base import Backend, Consumer, TopicPartition
from eventbus.consuming.assignment import Assignment
from eventbus.consuming.batch import BatchRunner
from eventbus.consuming.due_work import DueWork
from eventbus.consuming.fetched_records import FetchedRecords
from eventbus.consuming.handler_calls import HandlerCalls
from eventbus.consuming.outbox_backfill import Backfill
from eventbus.consuming.retries import Retries
from eventbus.consuming.thread_liveness import Pulse
from eventbus.database.contention import CONTENTION_SECONDS, ContentionRetry
from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import (
    Diverged,
    GroupStopped,
    LeaseLost,
    LogTruncated,
    StaleEpoch,
    is_contention,
    is_infrastructure_error,
)
from eventbus.events import Record
from eventbus.failures.circuit_breaker import CircuitBreaker
from eventbus.failures.poison_suspicion import Suspicion
from eventbus.failures.similar_warnings import Warnings
from eventbus.models import ConsumerGroup
from eventbus.progress.partition_epochs import PartitionEpochs
from eventbus.recovery import divergence
from eventbus.registry import BATCH_EVENTS, Group

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5  # between checks for parked keys and operators' requests when nothing else happens
STILL_SECONDS = 0.5  # how often a stopped group checks if it may go on
TURNS_OF_OTHERS = 20  # batches before a suspected key is tried again, unless the worker is idle: the try may take long
OUTAGE_PAUSE_SECONDS = (0.2, 5.0)  # between attempts during an infrastructure error: at first and at most


class Worker:
    """The loop of one group in one process. Belongs to one thread; `stop` ends `run` after the current work."""

    def __init__(
        self,
        group: Group,
        backend: Backend,
        stop: threading.Event | None = None,
        fence: Callable[[], None] = lambda: None,
    ) -> None:
        self.group = group
        self.failures: list[BaseException] = []  # of this worker's last step, for tests
        self._backend = backend
        self._stop = stop or threading.Event()
        self._retry_on_contention = retry = ContentionRetry(self._stop, CONTENTION_SECONDS)
        self._pulse = Pulse(f"Group {group.name}")
        self._breaker, self._suspicion = CircuitBreaker(group.name, retry), Suspicion()
        self._epochs = epochs = PartitionEpochs(group)
        self._calls = HandlerCalls(epochs, self._pulse, retry)
        self._warnings = Warnings(group.name)
        judged = (epochs, self._calls, self._breaker, self._suspicion, retry, self._warnings, self.failures.append)
        self._batches = BatchRunner(*judged)
        self._due_work = DueWork(epochs, Retries(*judged), self._breaker, self._suspicion, retry, self._stop)
        backfill = Backfill(epochs, backend)
        self._fetched = FetchedRecords(group, backfill)
        self._assignment = Assignment(epochs, backend, backfill, self._fetched, retry, fence)
        self._stands_still = True  # until the group is seen not to be paused, with its circuit breaker closed
        self._turns = 0  # batches since a suspected key was tried
        self._pause = OUTAGE_PAUSE_SECONDS[0]  # before the next attempt during an infrastructure error

    def run(self) -> None:
        """Handle events until stopped, or until another worker has taken over. Wait during infrastructure errors."""
        self._pause = OUTAGE_PAUSE_SECONDS[0]
        with closing(self._warnings), self._pulse.alive():
            while not self._stop.is_set():
                if not self._round():
                    return
            self._assignment.leave_in_order()

    def _round(self) -> bool:
        """Run a step, and wait if it finds nothing to do. Return False if another worker has taken over."""
        self._pulse.beat()
        seen, answered = self._backend.seen(), self._suspicion.answered
        try:
            with unit_of_work():
                moved = self.step()
            self._pause = OUTAGE_PAUSE_SECONDS[0]
        except LeaseLost as error:
            if self._backend.in_process or not isinstance(error, StaleEpoch):
                logger.info("Group %s has another owner now", self.group.name)
                return False
            self._assignment.give_way()
        except Exception as error:
            if not self._epochs.left_clean:
                self._assignment.start_over()
            if self._suspicion.answered != answered:  # other events were handled before this error
                self._pause = OUTAGE_PAUSE_SECONDS[0]
            self._wait_after(error)
        else:
            if not moved and not self._stop.is_set():
                self._wait(seen)
        return True

    def _wait_after(self, error: Exception) -> None:
        """Log the error that ended a step, and wait, after each such error for longer."""
        seconds, unexpected = random.uniform(self._pause / 2, self._pause), not is_infrastructure_error(error)
        text = "Group %s cannot go on, and tries again in %.1f s: %s"
        logger.warning(text, self.group.name, seconds, error, exc_info=unexpected)
        self._stop.wait(seconds)
        self._pause = min(self._pause * 2, OUTAGE_PAUSE_SECONDS[1])

    def _wait(self, seen: int) -> None:
        """Wait for new records. They do not end the wait of a stopped group, which would query the database in vain."""
        if self._stands_still:
            self._stop.wait(STILL_SECONDS)
        else:
            self._backend.wait(seen, IDLE_SECONDS)

    def partitions(self) -> list[TopicPartition]:
        """Return the partitions that the worker reads now. Safe in any thread."""
        return self._assignment.partitions()

    def start_over(self) -> None:
        """Read all partitions again, as after an infrastructure error. See `Assignment`."""
        self._assignment.start_over()

    def leave(self) -> None:
        """Free the partitions for others, as if this process had crashed. See `Assignment`."""
        self._assignment.leave()

    def close(self) -> None:
        """Leave the consumer group for good, so that other workers can take over its partitions.

        This works even while the database is unavailable.
        """
        self._assignment.close()

    def catch_up(self, seconds: float) -> None:
        """Wait until the next step finds the records that are in the log now. For tests. Raises LogUnavailable."""
        consumer = self._assignment.consumer or self._assignment.join()
        consumer.catch_up(seconds)
        self._assignment.follow(consumer)
        if not self._fetched.records:
            consumer.catch_up(seconds)

    def step(self) -> int:
        """Run one round. Return how many records and parked events moved. Raises LeaseLost, DatabaseError."""
        self.failures.clear()
        self._warnings.log_repeated()
        self._epochs.begin_step()
        consumer = self._assignment.consumer or self._assignment.join()
        with consumer.at_work():
            try:
                self._assignment.follow(consumer)
                return self._stand_still(consumer) if self._stands_still else self._flow(consumer)
            except GroupStopped as stopped:
                self._fetched.put_back(consumer)
                if isinstance(stopped, Diverged):
                    self._fetched.distrust(divergence.note(stopped.records))
                self._stands_still = True
                return 1  # more than 0, so that the next step follows at once: it tells a pause from an open breaker
            except LogTruncated as lost:
                self._retry_on_contention(self._epochs.note_loss, lost)
                raise

    def _flow(self, consumer: Consumer) -> int:
        """Do the work that is due, then handle a batch, then try a suspected key.

        Return how many records and events moved.
        """
        moved = self._due_work.apply_requests() + self._due_work.retry_due() if self._due_work.is_due() else 0
        if not self._fetched.records:
            moved += self._fetch(consumer, self.group.batch)
        moved += self._handle(consumer)
        return moved + self._try_suspect(moved)

    def _fetch(self, consumer: Consumer, records_max: int) -> int:
        """Fetch the next records of one partition. Return how many gaps of the log were found or closed."""
        moved = self._fetched.fetch(consumer, records_max)
        if self._fetched.records:
            failpoints.hit("fetched")
        self._assignment.check_if_due(idle=not self._fetched.records)
        return moved

    def _handle(self, consumer: Consumer) -> int:
        """Handle the fetched records, or as many as fit into one transaction. Return how many are passed."""
        records = self._fetched.records[: self.group.batch]
        if not records:
            return 0
        partition = self._fetched.partition()
        self._calls.begin()
        suspected = partition in self._assignment.suspected
        announced = suspected or partition in self._assignment.careful or bool(self.group.effects)
        passed = 0
        if not (suspected or self.group.effects or len(records) == 1):
            passed = self._together(partition, records, announced=announced)
            announced = announced or not passed
        passed = passed or self._one_by_one(consumer, records, announced=announced)
        if not self._fetched.records:
            self._assignment.trust(partition)
        if passed:
            self._commit(consumer, partition, records[passed - 1].offset + 1)
        return passed

    def _together(self, partition: TopicPartition, records: Sequence[Record], *, announced: bool) -> int:
        """Handle records in one transaction.

        Return how many are passed: 0 if one failed, because then all is rolled back.
        """
        try:
            if announced:
                self._retry_on_contention(self._batches.announce, partition)
            return self._fetched.passed(self._retry_on_contention(self._batches.batch, partition, records))
        except Exception as error:
            if is_infrastructure_error(error):
                if self._calls.in_hand is None:
                    raise
                self._assignment.suspected.add(partition)  # an event of this batch may cause the error
                if not is_contention(error):
                    raise
            return 0

    def _one_by_one(self, consumer: Consumer, records: Sequence[Record], *, announced: bool) -> int:
        """Handle records one by one until asked to leave, or until the assignment changes. Return how many are passed.

        Records without a handler are passed many in one transaction.
        """
        partition = self._fetched.partition()
        had = self._batches.had(records) if announced and len(records) > 1 else set()

        def is_called(record: Record) -> bool:
            return bool(self.group.of(record)) and record.event_id not in had

        passed = 0
        for called, group in groupby(records, key=is_called):
            run = list(group)
            while run and not self._stop.is_set() and self._assignment.is_current(consumer):
                count = 0 if called else self._retry_on_contention(self._batches.batch, partition, run, passing=True)
                if not count:
                    self._batches.single(partition, run[0], announced=announced)
                    count = 1
                passed += self._fetched.passed(count)
                del run[:count]
        return passed

    def _commit(self, consumer: Consumer, partition: TopicPartition, offset: int) -> None:
        failpoints.hit("consumer.commit")
        consumer.commit(partition, offset)
        failpoints.hit("consumer.committed")

    def _try_suspect(self, moved: int) -> int:
        """Try a suspected key, if nothing else moved or TURNS_OF_OTHERS batches came before.

        Return the number of attempts.
        """
        if not self._suspicion.keys:
            return 0
        self._turns += 1
        if moved and self._turns < TURNS_OF_OTHERS:
            return 0
        self._turns = 0
        return self._due_work.retry_suspect()

    def _stand_still(self, consumer: Consumer) -> int:
        """Check if the stopped group may go on, and then handle events. Probe an open circuit breaker.

        Return how much moved.
        """
        found = ConsumerGroup.objects.get(name=self.group.name)
        if found.paused_at is not None or divergence.stands():
            return 0
        if found.breaker_opened_at is not None:
            return self._due_work.apply_requests() + self._probe(consumer)
        self._stands_still = False
        self._breaker.reset()
        return self._flow(consumer)

    def _probe(self, consumer: Consumer) -> int:
        """Probe with each parked key in turn, then with the next record of the log. Return how many events moved."""
        with self._breaker.probing() as due:
            succeeded = self._due_work.probe() if due else False
            return self._probe_log(consumer) if succeeded is None else int(succeeded)

    def _probe_log(self, consumer: Consumer) -> int:
        self._fetched.fetch(consumer, BATCH_EVENTS)
        if not self._fetched.records:
            self._assignment.check_if_due(idle=True)
            return 0
        try:
            return self._fetched.passed(self._batches.probe(self._fetched.partition(), self._fetched.records))
        finally:
            self._fetched.put_back(consumer)
