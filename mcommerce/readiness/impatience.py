"""Database connections that soon give up: a page or a check that waits for a lock cannot name the lock."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus.errors import is_contention

logger = logging.getLogger(__name__)

WAIT_SECONDS = 3  # for a connection and a statement of a check: a visitor's page that waits longer has failed already
LOCK_SECONDS = 2  # for a lock: shorter than a statement, so that PostgreSQL says that it was a lock
PAGE_LOCK_SECONDS = 1  # for each lock that an operator's page meets: then it names the lock
PAGE_STATEMENT_SECONDS = 5  # of a section of the overview: a figure that takes longer is no help to an operator either
SQLITE_SECONDS = 5  # Python's own limit, where the settings have none
LOCKS, STATEMENTS = "lock_timeout", "statement_timeout"  # the limits, by PostgreSQL's names
CANCELLED = "57014"  # PostgreSQL's error code of a statement that took too long

R = TypeVar("R")


def impatient(patient: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
    """Return another connection to the same database, which gives up after WAIT_SECONDS."""
    found = patient.copy()
    options = found.settings_dict["OPTIONS"] = {**found.settings_dict.get("OPTIONS", {})}
    if found.vendor == "sqlite":
        options["timeout"] = WAIT_SECONDS
        return found
    milliseconds = WAIT_SECONDS * 1000
    limits = f"-c statement_timeout={milliseconds} -c lock_timeout={LOCK_SECONDS * 1000}"
    options |= {"connect_timeout": WAIT_SECONDS, "tcp_user_timeout": milliseconds}
    options["options"] = f"{options.get('options', '')} {limits}".strip()  # the last one wins
    return found


@contextmanager
def limited(limit: str, seconds: int) -> Iterator[None]:
    """Let this thread's connection give up after `seconds` while the block runs, by LOCKS or STATEMENTS.

    SQLite has no limit of a statement. Raises a database error if there is no connection.
    """
    connection.ensure_connection()
    raw = connection.connection
    _run(raw, _begin(limit, seconds))
    try:
        yield
    finally:
        if connection.connection is raw:  # else it has been closed meanwhile
            try:
                _run(raw, _end(limit))
            except DatabaseError:  # it is broken: the next one has no limit
                connection.close()


def _begin(limit: str, seconds: float) -> str:
    if connection.vendor == "postgresql":
        return f"SET {limit} = '{seconds}s'"
    return f"PRAGMA busy_timeout = {seconds * 1000:.0f}" if limit == LOCKS else ""


def _end(limit: str) -> str:
    if connection.vendor == "postgresql":
        return f"RESET {limit}"  # to what the connection began with
    return _begin(limit, float(connection.settings_dict["OPTIONS"].get("timeout", SQLITE_SECONDS)))


def _run(raw: Any, statement: str) -> None:
    """Run a statement beside Django, whose log of queries is about the page alone."""
    if statement:
        with connection.wrap_database_errors:
            raw.execute(statement)


def readable(read: Callable[[], R]) -> R | None:
    """Return what `read` returns; None if a lock keeps it from being read, or if a statement takes too long."""
    try:
        with limited(STATEMENTS, PAGE_STATEMENT_SECONDS):
            return read()
    except DatabaseError as error:
        if not is_lock(error):
            raise
        logger.info("A section of the overview cannot be read: %s", error)
        return None


def is_lock(error: BaseException) -> bool:
    """Return True if a statement was given up because of a lock, or because it took too long."""
    return is_contention(error) or getattr(error.__cause__, "sqlstate", None) == CANCELLED


def is_unreadable(error: BaseException) -> bool:
    """Return True if the database cannot be read now: a lock, no connection, or no answer."""
    return isinstance(error, OperationalError | InterfaceError) or (isinstance(error, DatabaseError) and is_lock(error))
