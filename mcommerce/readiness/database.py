"""Checks that the database answers, has its tables, takes writes, and nobody holds a table that pages need."""

import time
from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

WAIT_SECONDS = 3  # for a connection, a statement and a lock: a visitor's page that waits longer has failed already
LOCKED_SECONDS = 2.0  # a migration holds a table for a moment, and that is no fault
# A sort of so many rows of some 60 bytes exceeds 64 kB of memory, so PostgreSQL writes the rest to its disk.
SPILLED_ROWS = 4_000
SPILL = """
    SELECT count(*) FROM (
        SELECT md5(number::text) AS word FROM generate_series(1, %s) AS number ORDER BY word OFFSET 0
    ) AS sorted
"""
# Modes that stop writers; ACCESS EXCLUSIVE stops readers too. A waiting request for one blocks all later ones.
BLOCKING = ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"]
LOCKS = """
    SELECT relname, mode, pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    WHERE locktype = 'relation' AND mode = ANY(%s) AND pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
NOT_MIGRATED = "not migrated: run manage.py migrate"
NO_ANSWER = "no answer: is it running, and is DATABASE_URL right?"
LOCK_NOT_AVAILABLE, DISK_FULL = "55P03", "53100"  # PostgreSQL's error codes

_complete: set[frozenset[tuple[str, str]]] = set()  # migrations with which nothing is pending


def database_problem() -> str:
    """Return "" while the database answers, is migrated and takes writes; else a sentence with the remedy."""
    try:
        return _writing_problem() if is_migrated() else NOT_MIGRATED
    except DatabaseError as error:
        return _named(error)


def is_migrated() -> bool:
    """Return whether no migration is pending. Raises DatabaseError."""
    applied = frozenset(MigrationRecorder(connection).applied_migrations())
    if applied not in _complete:
        executor = MigrationExecutor(connection)  # it reads every migration from the disk
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return False
        _complete.add(applied)
    return True


def _writing_problem() -> str:
    with transaction.atomic():  # on SQLite it takes the one write lock
        if connection.vendor == "sqlite":
            return ""
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            if cursor.fetchone() == ("on",):
                return "read-only: DATABASE_URL must name a server that takes writes, and this may be a standby"
            cursor.execute("SET LOCAL work_mem = '64kB'")
            cursor.execute(SPILL, [SPILLED_ROWS])
    return ""


def _named(error: DatabaseError) -> str:
    said = str(error).strip().partition("\n")[0]
    code = getattr(error.__cause__, "sqlstate", None)
    if code == LOCK_NOT_AVAILABLE or "locked" in said:
        return f"locked ({said}): find the program that leaves a transaction open, and end it"
    if code == DISK_FULL or "is full" in said:
        return f"its disk is full ({said}): make room there"
    return f"{NO_ANSWER} ({said})"


class TableLocks:
    """The age of each lock on our tables, which PostgreSQL does not report."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str, int], float] = {}

    def problem(self) -> str:
        """Return "", or a sentence about tables that are locked against visitors. SQLite locks only whole databases."""
        if connection.vendor != "postgresql":
            return ""
        now = time.monotonic()
        self._since = {lock: self._since.get(lock, now) for lock in _locks()}
        kept = sorted(lock for lock, since in self._since.items() if now - since >= LOCKED_SECONDS)
        if not kept:
            return ""
        told = ", ".join(f"{table} by server process {pid} ({mode})" for table, mode, pid in kept)
        return f"locked: {told}. End that transaction, or SELECT pg_terminate_backend(its process)"


def _locks() -> Iterator[tuple[str, str, int]]:
    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    ours |= {MigrationRecorder.Migration._meta.db_table, settings.CACHES["default"].get("LOCATION", "")}
    with connection.cursor() as cursor:
        cursor.execute(LOCKS, [BLOCKING])
        yield from (lock for lock in cursor.fetchall() if lock[0] in ours)


def impatient(patient: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
    """Return another connection to the same database, which gives up after WAIT_SECONDS."""
    found = patient.copy()
    options = found.settings_dict["OPTIONS"] = {**found.settings_dict.get("OPTIONS", {})}
    if found.vendor == "sqlite":
        options["timeout"] = WAIT_SECONDS
        return found
    milliseconds = WAIT_SECONDS * 1000
    limits = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
    options |= {"connect_timeout": WAIT_SECONDS, "tcp_user_timeout": milliseconds}
    options["options"] = f"{options.get('options', '')} {limits}".strip()  # the last one wins
    return found
