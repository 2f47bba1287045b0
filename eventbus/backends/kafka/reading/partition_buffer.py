"""What a reader holds of a partition."""

from collections import deque

from confluent_kafka import OFFSET_BEGINNING

from eventbus.events import Record

BUFFER_RECORDS_MAX = 2_000  # of a partition: when more wait, the client is paused there, which throws its prefetch away
BUFFER_RECORDS_LOW = 500  # when so few are left it goes on


class PartitionBuffer:
    """A partition that this reader was given."""

    def __init__(self, *, sought: bool = False) -> None:
        self.buffer: deque[Record] = deque()
        self.sought = sought
        self.seeking: int | None = None  # where the client shall read on; until it does, what it brings is dropped
        self.next = -1  # where the buffer goes on; -1: not known
        self.paused = False
        self.believed = True  # that what the buffer holds is of the log as it is now

    def had(self, offset: int) -> bool:
        """Whether it came before: now and then a client begins anew before where it was."""
        return offset < self.next

    def covers(self, offset: int) -> bool:
        """Whether what the buffer holds goes on from there."""
        return (
            self.believed and self.seeking is None and bool(self.buffer) and self.buffer[0].offset <= offset < self.next
        )

    def seek(self, offset: int) -> None:
        """Have the buffer begin there, or the client read from there."""
        self.sought = True
        if self.covers(offset):
            while self.buffer and self.buffer[0].offset < offset:
                self.buffer.popleft()
        else:
            self.buffer.clear()
            self.seeking = self.next = offset
            self.believed = True

    def begin(self) -> int:
        """Where a client reads on that is given the partition now."""
        begin = self.next if self.next >= 0 else OFFSET_BEGINNING
        self.next, self.seeking, self.paused = max(begin, 0), None, False
        return begin

    def has_come_to(self, end: int) -> bool:
        """Whether all before that offset was taken, or as much as there is room for."""
        return self.next >= end or self.paused or (end == 0 and self.seeking is None)

    def is_full(self) -> bool:
        """Whether the client should be paused here."""
        return not self.paused and len(self.buffer) > BUFFER_RECORDS_MAX

    def may_go_on(self) -> bool:
        """Whether there is room again."""
        return self.paused and len(self.buffer) < BUFFER_RECORDS_LOW
