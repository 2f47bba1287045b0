"""How long a reader's thread waits for its client, which cannot be woken."""

import time

POLL_SECONDS = 0.05  # how late a seek or a commit reaches the client when nothing arrives
HURRY_SECONDS = 0.005  # the same while partitions change hands: each step of that would wait for it
HURRIES_SECONDS = 1.0  # how long it hurries after each such step


class PollInterval:
    """Slow when nothing changes but the records, quick for a moment after `hurry`."""

    def __init__(self) -> None:
        self.hurry()

    def hurry(self) -> None:
        """Something has to be done soon."""
        self._hurried = time.monotonic()

    def seconds(self) -> float:
        """How long to wait now."""
        return HURRY_SECONDS if time.monotonic() - self._hurried < HURRIES_SECONDS else POLL_SECONDS
