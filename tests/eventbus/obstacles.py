"""What a database may put in a worker's way."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection


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

    `state` is how the database says so: if none is asked for, that a lock was not to be had in time.
    """
    met: list[str] = []

    def meet(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if met or not sql.startswith(statement):
            return execute(sql, params, many, context)
        met.append(sql)
        if connection.vendor == "postgresql":  # the server itself says so
            return execute(f"DO $$ BEGIN RAISE SQLSTATE '{state or '55P03'}'; END $$", None, False, context)
        busy = sqlite3.OperationalError("database is locked")
        busy.sqlite_errorname = state or "SQLITE_BUSY"
        raise OperationalError(*busy.args) from busy

    with connection.execute_wrapper(meet):
        yield
    assert met, f"nothing began with {statement}"


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
            cursor.execute("UPDATE eventbus_progress SET position = position")
        yield
        stranger.rollback()
    finally:
        stranger.close()
        options.clear()
        options.update(kept)
