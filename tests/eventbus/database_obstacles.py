"""What a database may put in a worker's way."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection

KILLED = "57P01"  # SQLSTATE of a backend that an administrator ends: here it ends in earnest


@contextmanager
def refusing_dead_letters(*, that: str = "1 = 1") -> Iterator[None]:
    """While it lasts, the database takes no dead letter, or none `that` is so (in SQL, its columns behind NEW)."""
    if connection.vendor == "postgresql":
        begin = [
            "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$ LANGUAGE plpgsql",
            "CREATE TRIGGER refuse BEFORE INSERT ON eventbus_deadletter FOR EACH ROW "
            f"WHEN ({that}) EXECUTE FUNCTION refuse()",
        ]
        end = ["DROP TRIGGER refuse ON eventbus_deadletter", "DROP FUNCTION refuse()"]
    else:
        begin = [
            f"CREATE TRIGGER refuse BEFORE INSERT ON eventbus_deadletter WHEN {that} "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END",
        ]
        end = ["DROP TRIGGER refuse"]
    _run(begin)
    try:
        yield
    finally:
        _run(end)


def _run(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def contention_at(statement: str, state: str = "") -> Iterator[None]:
    """The first statement of this thread that begins so is refused, as when it meets another writer.

    `state` is how PostgreSQL says so: if none is asked for, that a lock was not to be had in time.
    """
    met: list[str] = []

    def meet(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if met or not sql.startswith(statement):
            return execute(sql, params, many, context)
        met.append(sql)
        if connection.vendor == "postgresql":  # the server itself says so
            return execute(f"DO $$ BEGIN RAISE SQLSTATE '{state or '55P03'}'; END $$", None, False, context)
        raise said_by_sqlite("SQLITE_BUSY")

    with connection.execute_wrapper(meet):
        yield
    assert met, f"nothing began with {statement}"


def refuse(state: str, name: str) -> None:
    """Let a statement of this thread end so: PostgreSQL itself says it, by SQLSTATE; SQLite's driver would, by name."""
    if connection.vendor != "postgresql":
        raise said_by_sqlite(name)
    with connection.cursor() as cursor:
        if state == KILLED:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        cursor.execute(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")


def said_by_sqlite(name: str) -> OperationalError:
    """An error as Django hands on the driver's."""
    told = sqlite3.OperationalError(f"the database says {name}")
    told.sqlite_errorname = name
    error = OperationalError(*told.args)
    error.__cause__ = told
    return error


@contextmanager
def locked_progress() -> Iterator[None]:
    """Another connection holds what every worker must lock, for longer than any worker's patience with one try."""
    options = connection.settings_dict["OPTIONS"]
    kept = dict(options)
    if connection.vendor == "postgresql":
        options["options"] = "-c lock_timeout=100"
    else:
        options["timeout"] = 0.1
    stranger = connection.copy("stranger")
    try:
        stranger.set_autocommit(False)
        with stranger.cursor() as cursor:
            cursor.execute("UPDATE eventbus_progress SET log_offset = log_offset")
        yield
        stranger.rollback()
    finally:
        stranger.close()
        options.clear()
        options.update(kept)
