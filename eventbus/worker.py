"""One consumer group's loop: fetch a batch, handle it, note how far it is."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from itertools import groupby

from django.db import DatabaseError

from eventbus import clock, failpoints, groups, parking
from eventbus.backends.base import Backend, Consumer, TopicPartition
from eventbus.errors import LeaseLost, is_nobodys_fault
from eventbus.events import Record
from eventbus.handling import Handling, Patience, unit_of_work
from eventbus.models import DeadLetter, ParkedKey
from eventbus.registry import Group

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5  # how often parked keys and operators' wishes are looked at when nothing else happens
PARKED_AT_ONCE = 50  # parked keys tried before new records get their turn again
WORLD_PAUSE_SECONDS = (0.2, 5.0)  # between attempts to reach a broken world: at first and at most


class Worker:
    """Handles for one group. Belongs to one thread; `stop` ends `run` after what is in hand."""

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
        self._patiently = Patience(self._stop)
        self._handling = Handling(group, {}, self._failed, self._patiently)
        self._careful: set[TopicPartition] = set()

    def run(self) -> None:
        """Work until stopped, or until another owner has taken over. A broken world is waited for."""
        pause = WORLD_PAUSE_SECONDS[0]
        while not self._stop.is_set():
            seen = self._backend.seen()
            try:
                with unit_of_work():
                    moved = self.step()
                pause = WORLD_PAUSE_SECONDS[0]
            except LeaseLost:
                logger.info("Group %s has another owner now", self.group.name)
                return
            except Exception as error:
                self.let_go()
                logger.warning(
                    "Group %s waits for the world: %s", self.group.name, error, exc_info=not is_nobodys_fault(error)
                )
                self._stop.wait(random.uniform(pause / 2, pause))
                pause = min(pause * 2, WORLD_PAUSE_SECONDS[1])
                continue
            if not moved and not self._stop.is_set():
                self._backend.wait(seen, IDLE_SECONDS)

    def step(self) -> int:
        """One round; how many records and parked events moved. Raises LeaseLost, DatabaseError."""
        self.failures.clear()
        consumer = self._consumer or self._join()
        moved = self._operators() + self._parked()
        records = consumer.fetch(self.group.batch)
        if records:
            failpoints.hit("fetched")
            self._handle(records)
        return moved + len(records)

    def close(self) -> None:
        """Leave; the partitions are free for others."""
        if self._forgive:
            try:
                groups.forgive(self.group, self._handling.epochs)
            except DatabaseError:
                logger.warning("Group %s could not erase an attempt that was ended from outside", self.group.name)
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _join(self) -> Consumer:
        groups.ensure(self._backend, [self.group])
        consumer = self._backend.consumer(self.group.topics, self.group.name)
        assigned = consumer.assignment()
        progress = self._patiently(groups.take_over, self.group, assigned, self._fence, forgive=self._forgive)
        self._forgive = False
        for partition, row in progress.items():
            consumer.seek(partition, row.position)
        self._handling.epochs = {partition: row.epoch for partition, row in progress.items()}
        self._careful = set(progress)
        self._consumer = consumer
        return consumer

    def let_go(self) -> None:
        """Read everything anew. An attempt that was ended from outside is erased when we own the partitions again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._forgive = True
            consumer.close()

    def _handle(self, records: Sequence[Record]) -> None:
        partition = TopicPartition(records[0].topic, records[0].partition)
        if partition in self._careful or self.group.effects or len(records) == 1:
            handled = self._one_by_one(partition, records)
        else:
            try:
                self._patiently(self._handling.batch, partition, records)
                handled = len(records)
            except Exception as error:
                if is_nobodys_fault(error):
                    raise
                handled = self._one_by_one(partition, records)
        if handled < len(records):
            self.let_go()  # asked to leave: the rest is fetched again, by whoever comes next
            return
        self._careful.discard(partition)
        if self._consumer is not None:
            failpoints.hit("consumer.commit")
            self._consumer.commit(partition, records[-1].position + 1)
            failpoints.hit("consumer.committed")

    def _one_by_one(self, partition: TopicPartition, records: Sequence[Record]) -> int:
        """How many were handled before it was asked to leave. What nobody here knows is passed over in one go."""
        handled = 0
        for known, group in groupby(records, key=lambda record: bool(self.group.of(record))):
            run = list(group)
            if not known:
                self._patiently(self._handling.batch, partition, run)
                handled += len(run)
                continue
            for record in run:
                if self._stop.is_set():
                    return handled
                self._handling.single(partition, record)
                handled += 1
        return handled

    def _parked(self) -> int:
        """Try the parked keys that are due, each until it fails or is free."""
        due = ParkedKey.objects.filter(
            groups.among(self._handling.epochs),
            group=self.group.name,
            state=ParkedKey.State.RETRYING,
            due_at__lte=clock.now(),
        ).order_by("due_at", "id")
        moved = 0
        for key_id, topic, number in list(due.values_list("id", "topic", "partition")[:PARKED_AT_ONCE]):
            moved += 1
            while not self._stop.is_set() and self._handling.retry(key_id, TopicPartition(topic, number)):
                moved += 1
        return moved

    def _operators(self) -> int:
        """Do what operators asked for with dead letters."""
        asked = DeadLetter.objects.filter(groups.among(self._handling.epochs), group=self.group.name)
        wishes = list(asked.exclude(request="").order_by("id").values_list("id", "topic", "partition")[:PARKED_AT_ONCE])
        for letter_id, topic, number in wishes:
            self._patiently(self._obey, letter_id, TopicPartition(topic, number))
        return len(wishes)

    def _obey(self, letter_id: int, partition: TopicPartition) -> None:
        with failpoints.atomic("obey"):
            progress = groups.lock(self.group, partition, self._handling.epochs[partition])
            letter = DeadLetter.objects.exclude(request="").filter(id=letter_id).first()
            if letter is not None:
                parking.obey(self.group, letter, progress)

    def _failed(self, record: Record, error: BaseException) -> None:
        self.failures.append(error)
        logger.warning(
            "Group %s failed on %s %s (key %s): %s",
            self.group.name,
            record.type,
            record.event_id,
            record.key,
            type(error).__name__,
            exc_info=error,
        )
