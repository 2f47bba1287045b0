"""The partitions that the log assigns to a worker.

Take them over, check that the worker still owns them, give them back.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from eventbus.backends.base import Backend, Consumer, TopicPartition
from eventbus.consuming.fetched_records import FetchedRecords
from eventbus.consuming.outbox_backfill import Backfill
from eventbus.database.contention import ContentionRetry
from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import LogUnavailable, is_infrastructure_error
from eventbus.models import Progress
from eventbus.progress import group_starts, groups, log_generations
from eventbus.progress.partition_epochs import PartitionEpochs

logger = logging.getLogger(__name__)

BACK_SECONDS = 5.0  # a worker that always has records checks this often if a log was filled again


class Assignment:
    """The partitions that the log has assigned to one worker. Belongs to one thread; `partitions` is safe in any.

    `give_back` is for partitions in which no attempt is unfinished. After an error that is not certain. Then
    `start_over` keeps the reader, takes its partitions over and reads them again. `leave` closes the reader.
    """

    def __init__(
        self,
        epochs: PartitionEpochs,
        backend: Backend,
        backfill: Backfill,
        fetched: FetchedRecords,
        retry_on_contention: ContentionRetry,
        fence: Callable[[], None],
    ) -> None:
        self.consumer: Consumer | None = None
        # `careful`: the former owner may have crashed, so attempts are stored before they begin. `suspected`: a crash
        # left an attempt unfinished, or an attempt met an infrastructure error, so events are handled one by one.
        self.careful: set[TopicPartition] = set()
        self.suspected: set[TopicPartition] = set()
        self._group, self._epochs, self._backend = epochs.group, epochs, backend
        self._backfill, self._fetched = backfill, fetched
        self._retry_on_contention = retry_on_contention
        self._fence = fence  # raises LeaseLost when this worker may not take partitions over
        # This worker's epochs in partitions where an infrastructure error may have ended its attempt.
        self._interrupted: dict[TopicPartition, int] = {}
        self._generation = -1  # of the assignment that was taken over last
        self._logs: dict[str, tuple[str, datetime]] = {}  # the known log of each topic when the reader began
        self._checked = float("-inf")  # when the logs were last checked, by the monotonic clock

    def partitions(self) -> list[TopicPartition]:
        """Return the partitions that are read now. Safe in any thread."""
        consumer = self.consumer
        return [] if consumer is None else consumer.assignment()

    def join(self) -> Consumer:
        """Create a new reader and return it. It owns no partition before `follow`."""
        group_starts.ensure(self._backend, [self._group])
        self._epochs.owned, self._generation = {}, -1
        self.careful, self.suspected = set(), set()
        self._fetched.forget_copies()
        self._logs = groups.fillings(self._group)
        self.consumer = self._backend.consumer(self._group.topics, self._group.name)
        return self.consumer

    def follow(self, consumer: Consumer) -> None:
        """Give back the partitions that were taken away since the last call, and take over the newly assigned ones."""
        generation = consumer.generation
        if generation == self._generation:
            return
        assigned, new = set(consumer.assignment()), self._used(consumer.unsought())
        gone = self._epochs.owned.keys() - assigned
        self.give_back(gone)
        self._epochs.forget([*gone, *new])
        if self._fetched.records and self._fetched.partition() not in self._epochs.owned:
            self._fetched.drop()
        self.careful &= assigned
        self.suspected &= assigned
        if new:
            self._take_over(consumer, new)
        self._generation = generation

    def is_current(self, consumer: Consumer) -> bool:
        """Return True if the assignment has not changed since the last `follow`."""
        return consumer.generation == self._generation

    def trust(self, partition: TopicPartition) -> None:
        """Note that all fetched records of a partition are passed.

        Its next batches are neither careful nor suspected.
        """
        self.careful.discard(partition)
        self.suspected.discard(partition)

    def give_back(self, partitions: Collection[TopicPartition]) -> None:
        """Record that this worker leaves these partitions with no attempt unfinished.

        The next owner looks for no crash there. Partitions that are careful or suspected are left out.
        """
        in_order = set(partitions) - self.careful - self.suspected
        groups.release(self._group, {one: epoch for one, epoch in self._epochs.owned.items() if one in in_order})

    def start_over(self) -> None:
        """Read all partitions again.

        An unfinished attempt of this worker is erased once it owns them again, and is no crash. If another worker has
        owned a partition meanwhile, its crash counts.
        """
        self._fetched.drop()
        if self.consumer is not None:
            if self._epochs.begun:
                self._interrupted |= self._epochs.owned
            self._generation = -1
            self.consumer.unseek()

    def give_way(self) -> None:
        """Accept that another worker owns a partition. Start over, unless the log reports a new assignment anyway."""
        if self.consumer is not None and self.is_current(self.consumer):
            self.start_over()

    def leave(self) -> None:
        """Close the reader. The partitions are free for others, as if this process had crashed."""
        consumer, self.consumer = self.consumer, None
        self._fetched.drop()
        if consumer is not None:
            consumer.close()

    def close(self) -> None:
        """Close the reader, even without a database.

        Erase attempts that an infrastructure error ended: they are no crashes.
        """
        if self._interrupted:
            with self._logged("an attempt that was ended from outside counts as a crash"):
                groups.forgive(self._group, self._interrupted)
        self.leave()

    def leave_in_order(self) -> None:
        """Give all partitions back, with no attempt unfinished.

        If that fails, log it. Then the next owner handles them as if this process had crashed.
        """
        with self._logged("whoever comes next is careful"), unit_of_work():
            self.give_back(self._epochs.owned.keys())

    @contextmanager
    def _logged(self, therefore: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            logger.warning(
                "Group %s could not write that it leaves, so %s: %s",
                self._group.name,
                therefore,
                error,
                exc_info=not is_infrastructure_error(error),
            )

    def check_if_due(self, *, idle: bool) -> None:
        """Check the logs if the worker is idle, or if the last check is BACK_SECONDS ago.

        In memory there is no need.
        """
        if not self._backend.in_process and (idle or time.monotonic() > self._checked + BACK_SECONDS):
            self._check()

    def _check(self) -> None:
        """Check if a log was filled again. Then the records to read lie before this worker's offset.

        A log that was recreated or lost its end is read by a new client. The old client may have been assigned no
        partitions while the topic was missing. librdkafka does not assign a topic again that comes back unchanged. Nor
        does it trust a broker that knows of fewer leader elections than the client has seen.
        """
        self._checked = time.monotonic()
        before, self._logs = self._logs, groups.fillings(self._group)
        if any(self._logs.get(topic, log) != log for topic, log in before.items()):
            self.start_over()
            self.leave()
        elif self._epochs.are_stale():
            self.give_way()
        elif self.consumer is None:
            return
        elif self._used([one for one in self.consumer.unsought() if one not in self._epochs.owned]):
            self._generation = -1  # the site puts keys into added partitions now: take these over
        else:
            self._backfill.look(self.consumer)

    def _used(self, partitions: Collection[TopicPartition]) -> list[TopicPartition]:
        """Return those of these partitions into which the site puts keys.

        Others were added by another program, and wait.
        """
        used = set(self._backend.partitions({one.topic for one in partitions}))
        return [one for one in partitions if one in used]

    def _take_over(self, consumer: Consumer, new: Collection[TopicPartition]) -> None:
        """Become the owner of these partitions, and read them from the group's offsets."""
        progress = self._raise_epochs(new)
        for partition in new:
            self._interrupted.pop(partition, None)
        self._backfill.begin(consumer, progress)
        self._epochs.took_over(progress)
        self.careful |= {partition for partition, row in progress.items() if row.released != row.epoch - 1}
        self.suspected |= {partition for partition, row in progress.items() if row.running_event or row.crashes}

    def _raise_epochs(self, new: Collection[TopicPartition]) -> dict[TopicPartition, Progress]:
        """Fence the former owners, and return the progress rows. Partitions added meanwhile first get theirs.

        Raises LogUnavailable.
        """
        log_generations.refuse_others(self._backend, self._group, {partition.topic for partition in new})
        if groups.missing_partitions(self._group, new):
            self._backend.reset()  # it may have cached the old number of partitions
            group_starts.ensure(self._backend, [self._group])
            if groups.missing_partitions(self._group, new):
                raise LogUnavailable(f"the log has given partitions of {self._group.topics} that it does not show yet")
        return self._retry_on_contention(groups.take_over, self._group, new, self._fence, interrupted=self._interrupted)
