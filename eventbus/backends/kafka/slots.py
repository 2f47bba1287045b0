"""What a reader holds of a partition."""

from collections import deque

from eventbus.events import Record


class Slot:
    """A partition that this reader was given."""

    def __init__(self) -> None:
        self.buffer: deque[Record] = deque()
        self.sought = False
        self.seeking: int | None = None  # where the client shall read on; until it does, what it brings is dropped
        self.next = -1  # where the buffer goes on; -1: not known
        self.paused = False

    def covers(self, position: int) -> bool:
        """Whether what the buffer holds goes on from there."""
        return self.seeking is None and bool(self.buffer) and self.buffer[0].position <= position < self.next
