"""The partitions that one worker owns: the epoch of each, and the group's offset there."""

from collections.abc import Callable, Collection, Mapping

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from eventbus.backends.base import TopicPartition
from eventbus.database import sql
from eventbus.errors import LogTruncated, StaleEpoch
from eventbus.models import Progress
from eventbus.progress import groups, log_generations
from eventbus.registry import Group


class PartitionEpochs:
    """The epochs of one worker's assignment. Belongs to one thread.

    A worker locks a partition's progress only through `lock`, so a former owner writes nothing.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self.owned: dict[TopicPartition, int] = {}  # the epoch of each partition
        self.begun = False  # True if this step began work that may leave an unfinished attempt
        self.left_clean = False  # True if the step's error left no unfinished attempt, and the fetched records stand
        self.interrupt: Callable[[], None] | None = None  # ends the statement of the connection that locked last
        self._reached: dict[TopicPartition, int] = {}  # the group's highest known offset: it never goes back

    def begin_step(self) -> None:
        """Forget what the last step began."""
        self.begun = self.left_clean = False

    def took_over(self, progress: Mapping[TopicPartition, Progress]) -> None:
        """Note the partitions that the worker owns from now on, by their progress rows."""
        self.owned |= {partition: row.epoch for partition, row in progress.items()}
        self._reached |= {partition: row.offset for partition, row in progress.items()}

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Note that the worker no longer owns these partitions."""
        for partition in partitions:
            self.owned.pop(partition, None)

    def are_stale(self) -> bool:
        """Return True if another worker owns one of the partitions, or the group has gone back in one."""
        return groups.lost(self.group, self.owned, self._reached)

    def lock(self, partition: TopicPartition, *, unless: str = "") -> Progress:
        """Lock as `groups.lock` does, with this worker's epoch. Raises StaleEpoch also if the stored offset went back.

        That shows that the database was restored. The worker has already read the events in between, and would leave
        them out.
        """
        self.begun = self.begun or bool(unless)  # only what begins something sets `unless`
        self.interrupt = sql.interrupting(connections[DEFAULT_DB_ALIAS])
        row = groups.lock(self.group, partition, self.owned[partition], unless=unless)
        if row.offset < (reached := self._reached.get(partition, 0)):
            raise StaleEpoch(f"{self.group.name} is at {row.offset} in {partition}, and was at {reached}")
        return row

    def moved(self, progress: Progress) -> None:
        """Remember the group's offset once the transaction that holds the row commits."""
        partition, offset = TopicPartition(progress.topic, progress.partition), progress.offset
        transaction.on_commit(lambda: self._reached.update({partition: offset}))

    def note_loss(self, lost: LogTruncated) -> None:
        """Store that these logs lost records, so that the relay fills them again even if this process ends.

        Raises StaleEpoch if the relay has filled them already.
        """
        with transaction.atomic():
            for topic, partition in lost.offsets:
                log_generations.note(topic, log_generations.UNKNOWN)  # locked in the relay's order
                self.lock(TopicPartition(topic, partition))
