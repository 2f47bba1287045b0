"""The pause of the operators' mails after a failure: a mail server that is down is not called at each check."""

import random

from eventbus import clock

# The first and the longest pause. Once the mail server is well again, the mail leaves within the longest and one check.
PAUSE_SECONDS = (5.0, 30.0)


class MailPause:
    """The pause of one process. It doubles with each failure in a row, and its jitter takes up to half of it.

    A change of the wall clock does not make it longer.
    """

    def __init__(self) -> None:
        self._seconds = PAUSE_SECONDS[0]
        self._until: float | None = None  # by `clock.monotonic`

    def holds(self) -> bool:
        """Return True if no mail may be tried yet."""
        return self._until is not None and clock.monotonic() < self._until

    def note(self, error: str) -> None:
        """Note how a try ended just now. `error`: "" for a success, which ends the pause."""
        if not error:
            self._seconds, self._until = PAUSE_SECONDS[0], None
            return
        self._until = clock.monotonic() + random.uniform(self._seconds / 2, self._seconds)
        self._seconds = min(self._seconds * 2, PAUSE_SECONDS[1])
