"""A database backend whose writers queue up. SQLite's own busy wait is unfair: one busy writer starves the rest.

A writer takes the process's lock before BEGIN IMMEDIATE, first come, first served, and releases it after COMMIT or
ROLLBACK. A statement that writes outside a transaction takes it too. Then the writer takes an interprocess lock.
Programs that take neither lock are still ordered by SQLite's busy timeout.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db.backends.sqlite3 import base

from eventbus.database.sqlite3.interprocess_lock import InterprocessLock
from eventbus.errors import QueueTimeout

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")  # statements with which Django and the bus write


class FairLock:
    """A lock that is first come, first served."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Event] = deque()

    def acquire(self, seconds: float) -> None:
        """Wait until the caller has the lock. Raises QueueTimeout after `seconds`."""
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
            return  # the turn came just after the wait had ended
        raise QueueTimeout(
            "database is locked: a transaction in this process has not ended for longer than the timeout"
        )

    def _leave(self, turn: threading.Event) -> bool:
        """Stop waiting. Return False if the turn has come already."""
        with self._mutex:
            if turn.is_set():
                return False
            self._waiting.remove(turn)
            return True

    def release(self) -> None:
        """Give the lock to the thread that has waited longest."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False


class Queue:
    """The queue of writers to one database: first come, first served in this process, in turns with other processes."""

    def __init__(self, database: str) -> None:
        self.here = FairLock()
        self._elsewhere = InterprocessLock(database)

    def acquire(self, seconds: float) -> None:
        """Wait for the turn to write. Raises QueueTimeout if no turn in this process comes within `seconds`."""
        self.here.acquire(seconds)
        try:
            self._elsewhere.acquire()
        except BaseException:
            self.here.release()
            raise

    def release(self) -> None:
        """End the turn. The next writer goes on, in this process or another."""
        self._elsewhere.release()
        self.here.release()


_queues: dict[str, Queue] = {}
_queues_guard = threading.Lock()


def queue_of(database: str) -> Queue:
    """Return the queue of a database. Each process has one for a database."""
    with _queues_guard:
        return _queues.setdefault(database, Queue(database))


class QueuedCursor(base.SQLiteCursorWrapper):
    """A cursor that takes a turn to write when no transaction is open.

    A statement with RETURNING is committed only when its rows are fetched, right after the turn. For that moment the
    next writer waits in SQLite's own busy wait.
    """

    def __init__(self, wrapper: "DatabaseWrapper", connection: Any) -> None:
        super().__init__(connection)
        self._wrapper = wrapper

    def execute(self, query: str, params: Any = None) -> Any:
        if self._needs_no_turn(query):
            return super().execute(query, params)
        with self._wrapper.turn():
            return super().execute(query, params)

    def executemany(self, query: str, param_list: Any) -> Any:
        if self._needs_no_turn(query):
            return super().executemany(query, param_list)
        with self._wrapper.turn():
            return super().executemany(query, param_list)

    def _needs_no_turn(self, query: str) -> bool:
        if self.connection.in_transaction or self._wrapper.has_turn:
            return True
        return not query.lstrip()[: len("REPLACE")].upper().startswith(WRITES)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper of SQLite, with a queue for transactions and for single statements that write."""

    _turn: Queue | None = None

    def create_cursor(self, name: str | None = None) -> QueuedCursor:
        cursor: QueuedCursor = self.connection.cursor(factory=partial(QueuedCursor, self))
        return cursor

    @property
    def has_turn(self) -> bool:
        """True while the connection has the turn, from the begin of a transaction on.

        SQLite may have ended the transaction by itself, for example because the disk is full.
        """
        return self._turn is not None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn for a single statement. Raises QueueTimeout if the turn does not come in time."""
        queue = self._queue_up()
        try:
            yield
        finally:
            queue.release()

    def _queue_up(self) -> Queue:
        queue = queue_of(str(self.settings_dict["NAME"]))
        queue.acquire(float(self.settings_dict["OPTIONS"].get("timeout", 5)))
        return queue

    def _start_transaction_under_autocommit(self) -> None:
        self._turn = self._queue_up()
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
        queue, self._turn = self._turn, None
        if queue is not None:
            queue.release()
