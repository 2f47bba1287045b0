"""Run one consumer group's loop: fetch a batch, handle it, store its offset."""

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from msgspec.structs import replace

from eventbus import failpoints
from eventbus.backends.base import Backend, Consumer, TopicPartition
from eventbus.consuming import trust
from eventbus.consuming.batch import BatchRunner
from eventbus.consuming.due_work import DueWork
from eventbus.consuming.outbox_backfill import Backfill
from eventbus.consuming.ownership import Ownership
from eventbus.database.contention import CONTENTION_SECONDS, ContentionRetry
from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import (
    Diverged,
    GroupStopped,
    LeaseLost,
    LogTruncated,
    LogUnavailable,
    StaleEpoch,
    is_contention,
    is_infrastructure_error,
)
from eventbus.events import Record
from eventbus.models import ConsumerGroup, Progress
from eventbus.progress import groups
from eventbus.recovery import divergence
from eventbus.registry import BATCH_EVENTS, Group

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5  # between checks for parked keys and operators' requests when nothing else happens
STILL_SECONDS = 0.5  # how often a stopped group checks if it may go on
BACK_SECONDS = 5.0  # between checks if a log was filled again, while the worker is always busy
TURNS_OF_OTHERS = 20  # other batches, if there are any, before a suspected key that may delay them is tried again
OUTAGE_PAUSE_SECONDS = (0.2, 5.0)  # between attempts during an infrastructure error: at first and at most


class Worker:
    """Run one group's handlers. Belongs to one thread; `stop` ends `run` after the work in hand."""

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
        self._fence = fence  # raises LeaseLost when this worker may not take partitions over
        self._forgive = False
        self._consumer: Consumer | None = None
        self._retry_on_contention = ContentionRetry(self._stop, CONTENTION_SECONDS)
        self._owned = Ownership(group, self._failed, self._retry_on_contention)
        self._handling = BatchRunner(self._owned)
        self._due_work = DueWork(self._owned, self._stop)
        self._backfill = Backfill(self._owned, backend, self._refuse_other_logs)
        self._fetched: list[Record] = []  # of one partition, and not passed yet
        self._stands_still = True  # until the group is seen not to be paused, with its circuit breaker closed
        # Careful: the former owner may have crashed, so attempts are stored before they begin. Suspected: a crash left
        # an attempt behind, or an attempt met an infrastructure error, so events are handled one by one.
        self._careful: set[TopicPartition] = set()
        self._suspected: set[TopicPartition] = set()
        self._copies: set[tuple[TopicPartition, int, UUID]] = (
            set()
        )  # signed records that the outbox lacks, and that prove no restore
        self._turns = 0  # batches of others since a suspect was tried
        self._generation = -1  # of the assignment that was taken over last
        self._logs: dict[str, tuple[str, datetime]] = {}  # the log of each topic that the consumer has found
        self._looked = float("-inf")  # when the logs were last checked, by the monotonic clock

    def run(self) -> None:
        """Work until stopped, or until another owner has taken over. Wait during infrastructure errors."""
        with self._owned.pulse.alive():
            if self._work():
                self._release()

    def _work(self) -> bool:
        """Work until asked to leave: return True. Return False if another owner has taken over."""
        pause = OUTAGE_PAUSE_SECONDS[0]
        while not self._stop.is_set():
            self._owned.pulse.beat()
            seen, answered = self._backend.seen(), self._owned.suspicion.answered
            try:
                with unit_of_work():
                    moved = self.step()
                pause = OUTAGE_PAUSE_SECONDS[0]
            except LeaseLost as error:
                if self._backend.in_process or not isinstance(error, StaleEpoch):
                    logger.info("Group %s has another owner now", self.group.name)
                    return False
                self._give_way()
                continue
            except Exception as error:
                if not self._owned.left_clean:
                    self.let_go()
                if self._owned.suspicion.answered != answered:  # others were handled before this error
                    pause = OUTAGE_PAUSE_SECONDS[0]
                seconds, unexpected = random.uniform(pause / 2, pause), not is_infrastructure_error(error)
                text = "Group %s cannot go on, and tries again in %.1f s: %s"
                logger.warning(text, self.group.name, seconds, error, exc_info=unexpected)
                self._stop.wait(seconds)
                pause = min(pause * 2, OUTAGE_PAUSE_SECONDS[1])
                continue
            if not moved and not self._stop.is_set():
                self._wait(seen)
        return True

    def partitions(self) -> list[TopicPartition]:
        """Return the partitions that it reads now. Safe in any thread."""
        consumer = self._consumer
        return [] if consumer is None else consumer.assignment()

    def _wait(self, seen: int) -> None:
        """Wait for new records. They do not wake a group that stands still: each would query the database in vain."""
        if self._stands_still:
            self._stop.wait(STILL_SECONDS)
        else:
            self._backend.wait(seen, IDLE_SECONDS)

    def step(self) -> int:
        """Run one round. Return how many records and parked events moved. Raises LeaseLost, DatabaseError."""
        self.failures.clear()
        self._owned.begun = self._owned.left_clean = False
        consumer = self._consumer or self._join()
        with consumer.at_work():
            try:
                self._follow(consumer)
                return self._stand_still(consumer) if self._stands_still else self._flow(consumer)
            except GroupStopped as stopped:
                self._put_back(consumer)
                if isinstance(stopped, Diverged):
                    self._copies |= {_place_of(record) for record in divergence.note(stopped.records)}
                self._stands_still = True
                return 1  # to standing still: see at once if it is a pause or the circuit breaker
            except LogTruncated as lost:
                self._retry_on_contention(self._owned.note_loss, lost)
                raise

    def _flow(self, consumer: Consumer) -> int:
        moved = self._due_work.apply_requests() + self._due_work.retry_due() if self._due_work.is_due() else 0
        if not self._fetched:
            before = self._backfill.moved
            self._fetched = self._fetch(consumer, self.group.batch)
            moved += self._backfill.moved - before
            if self._fetched:
                failpoints.hit("fetched")
            if not self._backend.in_process and (not self._fetched or time.monotonic() > self._looked + BACK_SECONDS):
                self._look_back()
        moved += self._handle(consumer)
        if self._owned.suspects:
            self._turns += 1
            if not moved or self._turns >= TURNS_OF_OTHERS:
                self._turns = 0
                moved += self._due_work.retry_suspect()
        return moved

    def _fetch(self, consumer: Consumer, records_max: int) -> list[Record]:
        records = trust.sift(self._backfill.fetch(consumer, records_max), self.group.type_of)
        if self._copies:
            records = [replace(one, trusted=False) if _place_of(one) in self._copies else one for one in records]
        return records

    def _look_back(self) -> None:
        """Check if a log was filled again, so that the records to read lie before this worker's offset.

        A log that was recreated or lost its end is read by a new client. The old client may have been assigned no
        partitions while the topic was missing. librdkafka does not assign a topic again that comes back unchanged. Nor
        does it trust a broker that knows of fewer leader elections than the client has seen.
        """
        self._looked = time.monotonic()
        before, self._logs = self._logs, groups.fillings(self.group)
        if any(self._logs.get(topic, log) != log for topic, log in before.items()):
            self.let_go()
            self.leave()
        elif groups.lost(self.group, self._owned.epochs, self._owned.reached):
            self._give_way()
        elif self._consumer is None:
            return
        elif self._used([one for one in self._consumer.unsought() if one not in self._owned.epochs]):
            self._generation = -1  # keys are placed in added partitions by now
        else:
            self._backfill.look(self._consumer)

    def _stand_still(self, consumer: Consumer) -> int:
        """Check if the group may go on: a paused group does nothing, an open circuit breaker is probed."""
        found = ConsumerGroup.objects.get(name=self.group.name)
        if found.paused_at is not None or divergence.stands():
            return 0
        if found.breaker_opened_at is not None:
            return self._due_work.apply_requests() + self._probe(consumer)
        self._stands_still = False
        self._owned.breaker.reset()
        return self._flow(consumer)

    def _probe(self, consumer: Consumer) -> int:
        """Try the parked heads in turn, the oldest first, then the next record of the log."""
        breaker = self._owned.breaker
        if not breaker.may_probe():
            return 0
        heads = self._due_work.retrying().filter(id__gt=breaker.probed_key).order_by("id")
        head = heads.values_list("id", "topic", "partition").first()
        if head is None:
            breaker.probed_key = 0
            return self._probe_log(consumer)
        breaker.probed_key = head[0]
        breaker.wait()
        return int(self._due_work.probe(head[0], TopicPartition(*head[1:])))

    def _probe_log(self, consumer: Consumer) -> int:
        self._fetched = self._fetch(consumer, BATCH_EVENTS)
        if not self._fetched:
            if not self._backend.in_process:
                self._look_back()
            return 0
        try:
            return self._passed(self._handling.probe(self._partition(), self._fetched))
        finally:
            self._put_back(consumer)

    def _release(self) -> None:
        """Mark the partitions as left in order: nothing is in hand. If that fails, log it and leave."""
        try:
            with unit_of_work():
                groups.release(self.group, self._trusted())
        except Exception as error:
            self._leaves_unsaid("whoever comes next is careful", error)

    def _trusted(self) -> dict[TopicPartition, int]:
        """Return the epochs of those partitions that the next owner need not take over with care."""
        return {one: epoch for one, epoch in self._owned.epochs.items() if one not in self._careful | self._suspected}

    def close(self) -> None:
        """Leave, and free the partitions for others, even without a database."""
        if self._forgive:
            try:
                groups.forgive(self.group, self._owned.epochs)
            except Exception as error:
                self._leaves_unsaid("an attempt that was ended from outside counts as a crash", error)
        self.leave()

    def _leaves_unsaid(self, therefore: str, error: Exception) -> None:
        logger.warning(
            "Group %s could not write that it leaves, so %s: %s",
            self.group.name,
            therefore,
            error,
            exc_info=not is_infrastructure_error(error),
        )

    def _join(self) -> Consumer:
        groups.ensure(self._backend, [self.group])
        self._owned.epochs, self._generation = {}, -1
        self._careful, self._suspected, self._copies = set(), set(), set()
        self._logs = groups.fillings(self.group)
        self._consumer = self._backend.consumer(self.group.topics, self.group.name)
        return self._consumer

    def _follow(self, consumer: Consumer) -> None:
        """Take over the partitions assigned since the last call, and let go of those taken away."""
        generation = consumer.generation
        if generation == self._generation:
            return
        assigned, new = set(consumer.assignment()), self._used(consumer.unsought())
        groups.release(self.group, {gone: epoch for gone, epoch in self._trusted().items() if gone not in assigned})
        for gone in [*(self._owned.epochs.keys() - assigned), *new]:
            self._owned.epochs.pop(gone, None)
        if self._fetched and self._partition() not in self._owned.epochs:
            self._fetched = []
        self._careful &= assigned
        self._suspected &= assigned
        if new:
            progress = self._take_over(new)
            self._forgive = False
            self._backfill.begin(consumer, progress)
            self._owned.epochs |= {partition: row.epoch for partition, row in progress.items()}
            self._owned.reached |= {partition: row.offset for partition, row in progress.items()}
            self._careful |= {partition for partition, row in progress.items() if row.released != row.epoch - 1}
            self._suspected |= {partition for partition, row in progress.items() if row.running_event or row.crashes}
        self._generation = generation

    def _used(self, partitions: Collection[TopicPartition]) -> list[TopicPartition]:
        """Return those in which keys are placed. Partitions that another program added are left until keys use them."""
        used = set(self._backend.partitions({one.topic for one in partitions}))
        return [one for one in partitions if one in used]

    def _take_over(self, new: Collection[TopicPartition]) -> dict[TopicPartition, Progress]:
        """Take these partitions over. Those added to a topic meanwhile get their rows first. Raises LogUnavailable."""
        self._refuse_other_logs({partition.topic for partition in new})
        if groups.missing_partitions(self.group, new):
            self._backend.reset()  # it may have cached the old count
            groups.ensure(self._backend, [self.group])
            if groups.missing_partitions(self.group, new):
                raise LogUnavailable(f"the log has given partitions of {self.group.topics} that it does not show yet")
        return self._retry_on_contention(groups.take_over, self.group, new, self._fence, forgive=self._forgive)

    def _refuse_other_logs(self, topics: Collection[str]) -> None:
        """Raise LogUnavailable if a log was recreated and is not filled again yet: stored offsets mean nothing in it.

        Relays may have appended records before they noticed the loss: those would be taken for the next ones. Kafka
        loses the group with the log, so it assigns partitions again before any of the log is read.
        """
        there = self._backend.generations(topics)
        for topic, log in groups.logs(self.group).items():
            if there.get(topic, log) != log:
                raise LogUnavailable(f"the log of {topic} was made anew, and waits for the relay to fill it again")

    def _give_way(self) -> None:
        """Give way to a partition's new owner. Begin anew if the log reports no new assignment."""
        if self._consumer is not None and self._consumer.generation == self._generation:
            self.let_go()

    def catch_up(self, seconds: float) -> None:
        """Wait until the next step finds what lies in the log now. For tests. Raises LogUnavailable."""
        consumer = self._consumer or self._join()
        consumer.catch_up(seconds)
        self._follow(consumer)
        if not self._fetched:
            consumer.catch_up(seconds)

    def let_go(self) -> None:
        """Read everything anew. An attempt that was ended from outside is erased once we own the partitions again."""
        self._fetched = []
        if self._consumer is not None:
            self._forgive = self._forgive or self._owned.begun  # what others left behind is not ours to erase
            self._generation = -1
            self._consumer.unseek()

    def leave(self) -> None:
        """Free the partitions for others, as if this process had crashed."""
        consumer, self._consumer = self._consumer, None
        self._fetched = []
        if consumer is not None:
            consumer.close()

    def _handle(self, consumer: Consumer) -> int:
        """Handle the fetched records, or as many as fit into one transaction. Return how many are passed."""
        records = self._fetched[: self.group.batch]
        if not records:
            return 0
        partition = self._partition()
        self._owned.begin()
        announced = partition in self._careful | self._suspected or self.group.effects
        if partition in self._suspected or self.group.effects or len(records) == 1:
            passed = self._one_by_one(consumer, records, announced=announced)
        else:
            try:
                if announced:
                    self._retry_on_contention(self._handling.announce, partition)
                passed = self._passed(self._retry_on_contention(self._handling.batch, partition, records))
            except Exception as error:
                if is_infrastructure_error(error):
                    if self._owned.in_hand is None:
                        raise
                    self._suspected.add(partition)  # this batch may cause the error, as it may cause a crash
                    if not is_contention(error):
                        raise
                passed = self._one_by_one(consumer, records, announced=True)
        if not self._fetched:
            self._careful.discard(partition)
            self._suspected.discard(partition)
        if passed:
            failpoints.hit("consumer.commit")
            consumer.commit(partition, records[passed - 1].offset + 1)
            failpoints.hit("consumer.committed")
        return passed

    def _one_by_one(self, consumer: Consumer, records: Sequence[Record], *, announced: bool) -> int:
        """Handle records singly until asked to leave or partitions move. Pass those without a handler in one go."""
        partition = self._partition()
        had = self._handling.had(records) if announced and len(records) > 1 else set()

        def is_called(record: Record) -> bool:
            return bool(self.group.of(record)) and record.event_id not in had

        passed = 0
        for called, group in groupby(records, key=is_called):
            run = list(group)
            while run and not self._stop.is_set() and consumer.generation == self._generation:
                count = 0 if called else self._retry_on_contention(self._handling.batch, partition, run, passing=True)
                if not count:
                    self._handling.single(partition, run[0], announced=announced)
                    count = 1
                passed += self._passed(count)
                del run[:count]
        return passed

    def _partition(self) -> TopicPartition:
        """Return the partition of the fetched records."""
        return TopicPartition(self._fetched[0].topic, self._fetched[0].partition)

    def _passed(self, count: int) -> int:
        """Drop so many of the fetched records: they are passed."""
        self._fetched = self._fetched[count:]
        return count

    def _put_back(self, consumer: Consumer) -> None:
        """Have those fetched records that are not passed fetched again."""
        if self._fetched:
            self._backfill.put_back(consumer, self._fetched)
            self._fetched = []

    def _failed(self, record: Record, error: BaseException) -> None:
        self.failures.append(error)


def _place_of(record: Record) -> tuple[TopicPartition, int, UUID]:
    """Return partition, offset and event id: once the log was filled again, another event has this offset."""
    return TopicPartition(record.topic, record.partition), record.offset, record.event_id
