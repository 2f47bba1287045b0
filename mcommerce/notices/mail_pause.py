"""The pause of the operators' mails after a failure: a mail server that is down is not called at each check."""

import random
from datetime import datetime, timedelta

# The first and the longest pause. Once the mail server is well again, the mail leaves within the longest and one check.
PAUSE_SECONDS = (5.0, 30.0)


class MailPause:
    """The pause of one process. It doubles with each failure in a row, and its jitter takes up to half of it."""

    def __init__(self) -> None:
        self._seconds = PAUSE_SECONDS[0]
        self._until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Return True if no mail may be tried yet."""
        return self._until is not None and now < self._until

    def note(self, error: str, now: datetime) -> None:
        """Note how a try went. `error`: "" for a success, which ends the pause."""
        if not error:
            self._seconds, self._until = PAUSE_SECONDS[0], None
            return
        self._until = now + timedelta(seconds=random.uniform(self._seconds / 2, self._seconds))
        self._seconds = min(self._seconds * 2, PAUSE_SECONDS[1])
