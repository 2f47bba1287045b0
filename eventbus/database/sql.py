"""Run raw statements without Django's cursor: for statements that run for every event, its conversions cost too much.

Placeholders are `%b`: bound by PostgreSQL's server in binary, and by SQLite as `?`. When queries are watched (DEBUG,
`execute_wrapper`, a test that counts them), Django's cursor runs the statements, so that they are seen. Values have the
types of the driver: on SQLite UUIDs are 32 hexadecimal digits, and times are text.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any
from uuid import UUID

import msgspec
from django.db.backends.base.base import BaseDatabaseWrapper

Rows = list[tuple[Any, ...]]
_in_hex = msgspec.json.Encoder(uuid_format="hex")  # as SQLite's columns hold UUIDs
# The numbers of rows that an INSERT may have. They are few, so that the driver keeps each statement parsed. Any SQLite
# takes 999 values, and the first number of rows with seven columns has fewer.
ROWS_OF_STATEMENTS = (128, 32, 8, 1)


def fetch(connection: BaseDatabaseWrapper, statement: str, parameters: Sequence[Any]) -> Rows:
    """Return the rows of a SELECT. Raises DatabaseError."""
    if _watched(connection):
        with connection.cursor() as cursor:
            cursor.execute(_for_django(statement), parameters)
            return list(cursor.fetchall())
    with connection.wrap_database_errors:
        if connection.vendor == "postgresql":
            return list(_cursor(connection).execute(statement, parameters, binary=True).fetchall())
        return list(connection.connection.execute(_for_sqlite(statement), parameters).fetchall())


def execute(connection: BaseDatabaseWrapper, statement: str, parameters: Sequence[Any]) -> int:
    """Run a statement and return the number of rows it touched. Raises DatabaseError."""
    if _watched(connection):
        with connection.cursor() as cursor:
            cursor.execute(_for_django(statement), parameters)
            return int(cursor.rowcount)
    with connection.wrap_database_errors:
        if connection.vendor == "postgresql":
            return int(_cursor(connection).execute(statement, parameters).rowcount)
        return int(connection.connection.execute(_for_sqlite(statement), parameters).rowcount)


def execute_many(connection: BaseDatabaseWrapper, statement: str, rows: Iterable[Sequence[Any]]) -> int:
    """Run a statement for each row, in order, and return the number of rows touched. Raises DatabaseError.

    For SQLite, which then parses the statement only once.
    """
    if _watched(connection):
        with connection.cursor() as cursor:
            cursor.executemany(_for_django(statement), list(rows))
            return int(cursor.rowcount)
    with connection.wrap_database_errors:
        return int(connection.connection.executemany(_for_sqlite(statement), rows).rowcount)


def insert_many(connection: BaseDatabaseWrapper, into: str, row: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows in their order. Raises DatabaseError.

    `into`: the statement up to VALUES. `row`: the placeholders of one row. For SQLite, which inserts a row of a
    multi-row statement in half the time of a single-row statement.
    """
    if _watched(connection):
        execute_many(connection, into + row, rows)
        return
    execute_raw = connection.connection.execute
    done = 0
    with connection.wrap_database_errors:
        for count in ROWS_OF_STATEMENTS:
            while len(rows) - done >= count:
                values = list(chain.from_iterable(rows[done : done + count]))
                execute_raw(_for_sqlite(_of_rows(into, row, count)), values)
                done += count


@lru_cache(maxsize=64)
def _of_rows(into: str, row: str, count: int) -> str:
    return into + ", ".join([row] * count)


def _cursor(connection: BaseDatabaseWrapper) -> Any:
    import psycopg

    return psycopg.Cursor(connection.connection)


def _watched(connection: BaseDatabaseWrapper) -> bool:
    if connection.connection is None:
        connection.ensure_connection()
    return bool(connection.queries_logged or connection.execute_wrappers)


@lru_cache(maxsize=64)
def _for_sqlite(statement: str) -> str:
    return statement.replace("%b", "?")


@lru_cache(maxsize=64)
def _for_django(statement: str) -> str:
    return statement.replace("%b", "%s")


def interrupting(connection: BaseDatabaseWrapper) -> Callable[[], None] | None:
    """Return a function that ends the connection's statement, to be called in another thread.

    Return None on PostgreSQL, where statements have a timeout instead.
    """
    raw = connection.connection
    return raw.interrupt if raw is not None and connection.vendor == "sqlite" else None


def is_among(connection: BaseDatabaseWrapper, column: str, kind: str = "uuid") -> str:
    """Return the SQL condition that a column has one of the values of a parameter (`ids`, `numbers` or `texts`).

    It has one placeholder, so the statement is the same for any number of values.
    """
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%b::{kind}[])"
    return f"{column} IN (SELECT value FROM json_each(%b))"


def ids(connection: BaseDatabaseWrapper, values: Iterable[UUID]) -> Any:
    """Return ids as one parameter: for `is_among` on a uuid column, or to be unnested into rows."""
    return list(values) if connection.vendor == "postgresql" else _in_hex.encode(list(values)).decode()


def numbers(connection: BaseDatabaseWrapper, values: Iterable[int]) -> Any:
    """Return the parameter for `is_among` on a column of whole numbers."""
    return list(values) if connection.vendor == "postgresql" else msgspec.json.encode(list(values)).decode()


def texts(connection: BaseDatabaseWrapper, values: Iterable[str]) -> Any:
    """Return the parameter for `is_among` on a text column."""
    return list(values) if connection.vendor == "postgresql" else _json(values)


def _json(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()


def uuid_value(connection: BaseDatabaseWrapper, value: UUID) -> UUID | str:
    """Return a UUID as the column holds it."""
    return value if connection.vendor == "postgresql" else value.hex


def uuid_of(value: Any) -> UUID:
    """Return the UUID of a fetched column."""
    return uuids_of([value])[0]


def uuids_of(values: list[Any]) -> list[UUID]:
    """Return the UUIDs in a column of many rows, in a fifth of the time that UUID(value) takes for each."""
    return msgspec.convert(values, list[UUID])


def time_value(connection: BaseDatabaseWrapper, at: datetime) -> Any:
    """Return a time in UTC as the column holds it."""
    return at if connection.vendor == "postgresql" else sqlite_time(at)


def sqlite_time(at: datetime) -> str:
    """Return a time as SQLite's columns hold it, in UTC."""
    return at.astimezone(UTC).isoformat(sep=" ")[: -len("+00:00")]
