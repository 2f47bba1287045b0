"""Turns between processes that write to one SQLite database, by two locked files beside it.

A writer locks the first file while it waits for the second, and then releases the first. So a process that writes all
the time cannot overtake a waiting one. It gets the first file only once the waiting process has the second. SQLite's
own lock still protects the data. These files only order the attempts, and a process that has waited too long goes on
without them.
"""

import os
import time
from contextlib import suppress

try:
    import fcntl
except ImportError:  # not on this system: then only SQLite's own busy wait remains
    fcntl = None  # type: ignore[assignment]

LOOK_SECONDS = 0.001  # between tries to lock a file: little beside a transaction, which takes some 20 ms
# After this time a writer goes on without a turn: a process that was stopped while it waited must not block the others.
WAIT_SECONDS_MAX = 2.0
SUFFIXES = ("-next", "-turn")


class InterprocessLock:
    """The lock of one database in one process. Only the thread that has the process's turn uses it."""

    def __init__(self, database: str) -> None:
        self._paths = [f"{database}{suffix}" for suffix in SUFFIXES]
        self._works = fcntl is not None and ":" not in database  # not in memory, and no URI
        self._owner = 0  # the process that opened the files: a forked one would share its parent's locks
        self._next = self._turn = -1

    def acquire(self) -> None:
        """Wait for the turn, WAIT_SECONDS_MAX at most."""
        if not self._works or not self._open():
            return
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        if _lock(self._next, deadline):
            _lock(self._turn, deadline)
            fcntl.flock(self._next, fcntl.LOCK_UN)

    def release(self) -> None:
        """Let the next process write. Harmless without a turn."""
        if self._works and self._owner == os.getpid():
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def _open(self) -> bool:
        """Open the files. Return False if that fails: then SQLite itself reports what is wrong with the folder."""
        if self._owner != os.getpid():
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            with suppress(OSError):
                self._next, self._turn = (os.open(path, flags, 0o600) for path in self._paths)
                self._owner = os.getpid()
        return self._owner == os.getpid()


def _lock(file: int, deadline: float) -> bool:
    """Lock the file, and return True. Return False after the deadline."""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        time.sleep(LOOK_SECONDS)
