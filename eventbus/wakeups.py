"""Wake-ups inside one process. A wake-up only shortens a wait: nothing depends on it."""

import threading


class Wakeup:
    """A wake-up: `ring` lets waiting threads look again at once."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    def ring(self) -> None:
        """Wake every waiting thread."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    @property
    def rings(self) -> int:
        """The number of rings. Note it before you look, so that no ring between look and wait is missed."""
        return self._rings

    def wait(self, seen: int, seconds: float) -> None:
        """Wait until the number of rings is no longer `seen`, or for `seconds` at most."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != seen, timeout=seconds)


published = Wakeup()  # an outbox row was committed by this process
appended = Wakeup()  # this process appended records to its log, or wants its workers to look again
