"""The buffer of one partition: records that the client has polled, and the worker has not fetched yet."""

from collections import deque

from confluent_kafka import OFFSET_BEGINNING

from eventbus.events import Record

BUFFER_RECORDS_MAX = 2_000  # above this the client is paused in the partition, which discards its prefetched records
BUFFER_RECORDS_LOW = 500  # below this the client is resumed


class PartitionBuffer:
    """The buffer of a partition that is assigned to this reader."""

    def __init__(self, *, sought: bool = False) -> None:
        self.records: deque[Record] = deque()
        self.sought = sought
        self.seeking: int | None = None  # the offset of a pending seek; until it is done, polled records are dropped
        self.next = -1  # the offset after the buffer; -1: not known
        self.paused = False
        self.believed = True  # False if the buffer's records may be of an earlier log

    def had(self, offset: int) -> bool:
        """Return True if this offset came before: sometimes a client goes back to an earlier offset."""
        return offset < self.next

    def covers(self, offset: int) -> bool:
        """Return True if the buffer has the records from this offset on, and they are of the present log."""
        if not self.believed or self.seeking is not None or not self.records:
            return False
        return self.records[0].offset <= offset < self.next

    def seek(self, offset: int) -> None:
        """Let the buffer begin at this offset. If it does not have that, empty it, and let the client seek."""
        self.sought = True
        if self.covers(offset):
            while self.records and self.records[0].offset < offset:
                self.records.popleft()
        else:
            self.records.clear()
            self.seeking = self.next = offset
            self.believed = True

    def begin(self) -> int:
        """Return the offset at which a new client of the partition reads on."""
        begin = self.next if self.next >= 0 else OFFSET_BEGINNING
        self.next, self.seeking, self.paused = max(begin, 0), None, False
        return begin

    def has_come_to(self, end: int) -> bool:
        """Return True if all records before this offset have come, or as many as there is room for."""
        return self.next >= end or self.paused or (end == 0 and self.seeking is None)

    def is_full(self) -> bool:
        """Return True if the client should be paused here."""
        return not self.paused and len(self.records) > BUFFER_RECORDS_MAX

    def may_go_on(self) -> bool:
        """Return True if the client is paused and there is room again."""
        return self.paused and len(self.records) < BUFFER_RECORDS_LOW
