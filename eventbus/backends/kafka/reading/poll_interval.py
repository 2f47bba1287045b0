"""The time that a reader's thread waits for its client, which cannot be woken."""

import time

POLL_SECONDS = 0.05  # the longest delay of a seek or a commit, if no record arrives
HURRY_SECONDS = 0.005  # the same during a rebalance, each of whose steps waits so long
HURRIES_SECONDS = 1.0  # the interval stays short for this time after `hurry`


class PollInterval:
    """A poll interval that is short for HURRIES_SECONDS after `hurry`, and else long."""

    def __init__(self) -> None:
        self.hurry()

    def hurry(self) -> None:
        """Use the short interval for a moment, because something has to be done soon."""
        self._hurried = time.monotonic()

    def seconds(self) -> float:
        """Return the time to wait now."""
        return HURRY_SECONDS if time.monotonic() - self._hurried < HURRIES_SECONDS else POLL_SECONDS
