"""Ask the database for its settings, with connections that soon give up."""

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus.doctor.facts import PostgreSQL, SQLite
from eventbus.operations.heartbeats import ProcessStatus

ASK_SECONDS = 3  # for a connection and for each statement: an operator waits for the doctor
SETTINGS = (
    *("fsync", "full_page_writes", "synchronous_commit", "autovacuum", "server_encoding"),
    *("default_transaction_isolation", "default_transaction_read_only", "statement_timeout", "lock_timeout"),
    *("idle_in_transaction_session_timeout", "max_connections", "superuser_reserved_connections"),
)
# The connections that a process may open, by its role: docs/operations.md, How many of each.
CONNECTIONS = {"pages": 5, "live": 37, "relay": 3, "all": 45, "poll": 2}
MOUNTS = Path("/proc/mounts")
OCTAL_SPACE = "\\040"  # how /proc/mounts writes a blank
SQLITE_BUSY_SECONDS = 5.0  # the default of Python's sqlite3


def postgresql(processes: list[ProcessStatus]) -> PostgreSQL:
    """Return the settings of our sessions at the server. Raises DatabaseError if it does not answer soon."""
    with (
        closing(_impatient(connection)) as one,
        closing(_impatient(connection)) as other,
        one.cursor() as asks,
        other.cursor() as beside,
    ):
        asks.execute("SELECT name, reset_val FROM pg_settings WHERE name = ANY(%s)", [list(SETTINGS)])
        settings = dict(asks.fetchall())
        asks.execute("SHOW server_version_num")
        version = int(asks.fetchone()[0])
        sessions = {_session(asks), _session(beside)}
        before = datetime.now(UTC)
        asks.execute("SELECT clock_timestamp()")
        [at] = asks.fetchone()
        between = before + (datetime.now(UTC) - before) / 2
    return PostgreSQL(
        version=version,
        settings=settings,
        shared=len(sessions) == 1,
        needed=sum(_needed(process) for process in processes),
        ahead=at - between,
    )


def _session(cursor: Any) -> int:
    cursor.execute("SELECT pg_backend_pid()")
    return int(cursor.fetchone()[0])


def _needed(process: ProcessStatus) -> int:
    return CONNECTIONS.get(process.role, 1 + len(process.assignment))


def _impatient(patient: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
    """Return another connection with the same settings, which waits for ASK_SECONDS at most.

    Its own limits are set after it was opened, so that `reset_val` keeps those of the site.
    """
    found = patient.copy()
    found.settings_dict["OPTIONS"] = {**found.settings_dict.get("OPTIONS", {}), "connect_timeout": ASK_SECONDS}
    with found.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [str(ASK_SECONDS * 1_000)])
    return found


def sqlite(processes: list[ProcessStatus]) -> SQLite:
    """Return the settings of our connection and of the file. Raises DatabaseError."""
    options = connection.settings_dict.get("OPTIONS", {})
    file = str(connection.settings_dict["NAME"])
    return SQLite(
        journal=str(_pragma("journal_mode")),
        synchronous=int(_pragma("synchronous")),
        foreign_keys=bool(_pragma("foreign_keys")),
        transaction_mode=str(options.get("transaction_mode") or ""),
        busy_seconds=float(options.get("timeout", SQLITE_BUSY_SECONDS)),
        filesystem=filesystem(file),
        hosts=len({process.host for process in processes if not process.silent}) or 1,
        mode=os.stat(file).st_mode & 0o777 if os.path.exists(file) else 0,
    )


def _pragma(name: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return cursor.fetchone()[0]


def filesystem(path: str, mounts: Path = MOUNTS) -> str:
    """Return the type of the filesystem on which a file lies; "" where the system does not say."""
    there = os.path.realpath(path)
    found = ("", "")
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        _device, mounted, kind = line.split()[:3]
        folder = mounted.replace(OCTAL_SPACE, " ")
        inside = there == folder or there.startswith(folder.rstrip("/") + "/")
        if inside and len(folder) >= len(found[0]):
            found = (folder, kind)
    return found[1]
