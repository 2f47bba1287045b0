"""Find who holds a table that pages need, and since when. PostgreSQL tells it; SQLite locks only whole databases."""

import re
import time
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

LOCKED_SECONDS = 2.0  # a migration holds a table for a moment, and that is no fault
# Modes that stop writers; ACCESS EXCLUSIVE stops readers too. A waiting request for one blocks all later ones.
STOPS_READERS = "AccessExclusiveLock"
BLOCKING = ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", STOPS_READERS]
LOCKS = """
    SELECT relname, lock.mode, lock.pid, activity.xact_start, coalesce(activity.query, '')
    FROM pg_locks AS lock JOIN pg_class ON pg_class.oid = lock.relation
    LEFT JOIN pg_stat_activity AS activity ON activity.pid = lock.pid
    WHERE lock.locktype = 'relation' AND lock.mode = ANY(%s) AND lock.pid <> pg_backend_pid()
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY relname, lock.granted DESC, lock.pid
"""
# The beginning of a statement, up to its first value: a value may be a customer's, and notices leave by mail.
STATEMENT = re.compile(r"[A-Za-z_(][^'$0-9=;/-]*")
STATEMENT_CHARACTERS_MAX = 80  # it names the command and the table by then


class TableLock(NamedTuple):
    """A lock on a table: its mode, and the server process of PostgreSQL that holds it or waits for it.

    `since`: when its transaction began. `statement`: how its last statement begins, without values. Both are empty if
    PostgreSQL does not tell them to our user.
    """

    table: str
    mode: str
    pid: int
    since: datetime | None
    statement: str

    def __str__(self) -> str:
        told = f"{self.table} by server process {self.pid} ({self.mode})"
        if self.since is not None:
            told += f", in a transaction since {self.since:%Y-%m-%d %H:%M:%S} UTC"
        return f"{told}, last statement: {self.statement}" if self.statement else told


def held() -> list[TableLock]:
    """Return the present locks on our tables that stop their writers or readers; none on SQLite."""
    if connection.vendor != "postgresql":
        return []
    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    ours |= {MigrationRecorder.Migration._meta.db_table, settings.CACHES["default"].get("LOCATION", "")}
    with connection.cursor() as cursor:
        cursor.execute(LOCKS, [BLOCKING])
        found = cursor.fetchall()
    return [
        TableLock(table, mode, pid, since, beginning(statement))
        for table, mode, pid, since, statement in found
        if table in ours
    ]


def beginning(statement: str) -> str:
    """Return how a statement begins, without any value."""
    found = STATEMENT.match(statement.strip())
    return " ".join(found[0].split())[:STATEMENT_CHARACTERS_MAX] if found else ""


def sentence(locks: Iterable[TableLock]) -> str:
    """Return a sentence about these locks with the remedy; "" without any."""
    found = list(locks)
    if not found:
        return ""
    told, ends = "; ".join(map(str, found)), _ends({lock.pid for lock in found})
    return f"locked: {told}. End that transaction, or {ends} (docs/runbook.md, A table is locked)"


def _ends(pids: Iterable[int]) -> str:
    return ", ".join(f"SELECT pg_terminate_backend({pid})" for pid in sorted(pids))


class TableLocks:
    """The locks of one process's checks, with the age of each, which PostgreSQL does not report."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str, int], float] = {}
        self.kept: list[TableLock] = []  # those that the last check reported

    def problem(self) -> str:
        """Return "", or a sentence about tables that are locked against visitors."""
        now, found = time.monotonic(), held()
        self._since = {lock[:3]: self._since.get(lock[:3], now) for lock in found}
        self.kept = [lock for lock in found if now - self._since[lock[:3]] >= LOCKED_SECONDS]
        return sentence(self.kept)
