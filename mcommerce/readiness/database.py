"""Checks that the database answers, has its tables and takes writes."""

from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

# A sort of so many rows of some 60 bytes exceeds 64 kB of memory, so PostgreSQL writes the rest to its disk.
SPILLED_ROWS = 4_000
SPILL = """
    SELECT count(*) FROM (
        SELECT md5(number::text) AS word FROM generate_series(1, %s) AS number ORDER BY word OFFSET 0
    ) AS sorted
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
