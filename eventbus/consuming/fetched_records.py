"""The records of one partition that a worker has fetched and not passed yet."""

from collections.abc import Iterable
from uuid import UUID

from msgspec.structs import replace

from eventbus.backends.base import Consumer, TopicPartition
from eventbus.consuming import trust
from eventbus.consuming.outbox_backfill import Backfill
from eventbus.events import Record
from eventbus.registry import Group


class FetchedRecords:
    """The fetched records of one worker, in the order of their offsets."""

    def __init__(self, group: Group, backfill: Backfill) -> None:
        self.records: list[Record] = []
        self._group, self._backfill = group, backfill
        self._copies: set[tuple[TopicPartition, int, UUID]] = set()  # records that `distrust` has named

    def fetch(self, consumer: Consumer, records_max: int) -> int:
        """Fetch the next records of one partition, and decide which of them are trusted.

        Returns how many gaps of the log were found or closed (`outbox_backfill`).
        """
        before = self._backfill.moved
        records = trust.sift(self._backfill.fetch(consumer, records_max), self._group.type_of)
        if self._copies:
            records = [replace(one, trusted=False) if _identity(one) in self._copies else one for one in records]
        self.records = records
        return self._backfill.moved - before

    def partition(self) -> TopicPartition:
        """Return the partition of the records."""
        return TopicPartition(self.records[0].topic, self.records[0].partition)

    def passed(self, count: int) -> int:
        """Drop the first `count` records, which the group has passed. Return `count`."""
        self.records = self.records[count:]
        return count

    def put_back(self, consumer: Consumer) -> None:
        """Drop the records, and let the next `fetch` return them again."""
        if self.records:
            self._backfill.put_back(consumer, self.records)
            self.records = []

    def drop(self) -> None:
        """Forget the records: their partition is read anew, or belongs to another worker."""
        self.records = []

    def distrust(self, copies: Iterable[Record]) -> None:
        """Count these records as untrusted from the next fetch on. They are signed, but the outbox lacks them.

        They may be copies of pruned records, and prove no restore (`divergence.note`). They are known by partition,
        offset and event id: once the log was filled again, another event has the offset.
        """
        self._copies |= {_identity(record) for record in copies}

    def forget_copies(self) -> None:
        """Forget the records that `distrust` named. Called when a new reader begins."""
        self._copies = set()


def _identity(record: Record) -> tuple[TopicPartition, int, UUID]:
    return TopicPartition(record.topic, record.partition), record.offset, record.event_id
