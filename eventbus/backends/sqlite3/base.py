"""SQLite's own busy wait is unfair: one busy writer starves the rest. So writers of this process queue up.

The lock is taken before BEGIN IMMEDIATE, first come first served, and given back after COMMIT or ROLLBACK. Between
processes SQLite's busy timeout remains.
"""

import threading
from collections import defaultdict, deque
from typing import Any

from django.db.backends.sqlite3 import base

from eventbus.errors import QueueTimeout


class FairLock:
    """First come, first served."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Event] = deque()

    def acquire(self, seconds: float) -> None:
        """Raises QueueTimeout when the turn does not come in time."""
        with self._mutex:
            if not self._held:
                self._held = True
                return
            turn = threading.Event()
            self._waiting.append(turn)
        try:
            if turn.wait(seconds):
                return
        except BaseException:
            if not self._leave(turn):
                self.release()
            raise
        if not self._leave(turn):
            return  # the turn came in this very moment
        raise QueueTimeout(
            "database is locked: a transaction in this process has not ended for longer than the timeout"
        )

    def _leave(self, turn: threading.Event) -> bool:
        """Stop waiting; false when the turn has come already."""
        with self._mutex:
            if turn.is_set():
                return False
            self._waiting.remove(turn)
            return True

    def release(self) -> None:
        """Give it to who has waited longest."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False


_locks: defaultdict[str, FairLock] = defaultdict(FairLock)
_locks_guard = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """django.db.backends.sqlite3, whose transactions queue within the process."""

    _turn: FairLock | None = None

    def _start_transaction_under_autocommit(self) -> None:
        with _locks_guard:
            lock = _locks[str(self.settings_dict["NAME"])]
        lock.acquire(float(self.settings_dict["OPTIONS"].get("timeout", 5)))
        self._turn = lock
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_turn()
            raise

    def _commit(self) -> Any:
        result = super()._commit()  # type: ignore[misc]
        self._give_turn()  # only after success: a failed COMMIT is followed by a rollback
        return result

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._give_turn()

    def close(self) -> None:
        try:
            super().close()
        finally:
            if self.connection is None or self.closed_in_transaction:  # closed: SQLite has rolled back
                self._give_turn()

    def _give_turn(self) -> None:
        lock, self._turn = self._turn, None
        if lock is not None:
            lock.release()
