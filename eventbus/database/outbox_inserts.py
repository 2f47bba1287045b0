"""The statements that add events to the outbox."""

import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus.database import sql
from eventbus.events import EncodedEvent

LOCK_SLOTS = 64  # advisory locks for the keys of a topic: PostgreSQL's shared memory has room for some thousands
ROWS_PER_STATEMENT = 1_000  # on PostgreSQL, so that a statement has some megabytes at most
COLUMNS = ("event_id", "topic", "type", "key", "payload", "headers", "created_at", "rejected")
_NAMES = ", ".join(COLUMNS)
_SQLITE = f"INSERT INTO eventbus_outbox ({_NAMES}) VALUES "
_SQLITE_ROW = "(%b, %b, %b, %b, %b, %b, %b, '')"
_ONE = f"""
    INSERT INTO eventbus_outbox ({_NAMES})
    SELECT %b, %b, %b, %b, %b, %b, %b, '' FROM (SELECT pg_advisory_xact_lock(%b::int, %b::int)) AS locks
"""
# The locks are taken in FROM, so that ids are drawn after them.
_MANY = f"""
    WITH locks AS MATERIALIZED (
        SELECT pg_advisory_xact_lock(topic, slot) FROM unnest(%b::int[], %b::int[]) AS slots (topic, slot)
    )
    INSERT INTO eventbus_outbox ({_NAMES})
    SELECT event_id, topic, type, key, payload, headers, created_at, ''
    FROM (SELECT count(*) FROM locks) AS held,
        unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::text[], %b::timestamptz[])
        WITH ORDINALITY AS event (event_id, topic, type, key, payload, headers, created_at, place)
    ORDER BY place
"""

Slots = Sequence[tuple[int, int]]


def slots(sealed: Iterable[EncodedEvent]) -> list[tuple[int, int]]:
    """Return the advisory locks that these events need on PostgreSQL, sorted, so that they cannot deadlock."""
    return sorted({(_signed(one.topic), zlib.crc32(one.key.encode()) % LOCK_SLOTS) for one in sealed})


def _signed(topic: str) -> int:
    """Return a topic's number for an advisory lock: PostgreSQL takes signed 32-bit integers."""
    return zlib.crc32(topic.encode()) - 2**31


def insert(connection: BaseDatabaseWrapper, sealed: Sequence[EncodedEvent], *, ordered: bool) -> None:
    """Add these rows in this order, in the connection's transaction. Raises DatabaseError."""
    if connection.vendor == "postgresql":
        _postgres(connection, sealed, slots(sealed) if ordered else [])
    else:
        _sqlite(connection, sealed)


def _sqlite(connection: BaseDatabaseWrapper, sealed: Sequence[EncodedEvent]) -> None:
    """Insert without locks: SQLite has one writer at a time, so ids are drawn in commit order."""
    sql.insert_many(connection, _SQLITE, _SQLITE_ROW, list(map(sqlite_values, sealed)))


def _postgres(connection: BaseDatabaseWrapper, sealed: Sequence[EncodedEvent], locks: Slots) -> None:
    if len(sealed) == 1 and len(locks) == 1:  # without arrays PostgreSQL plans it in half the time
        sql.execute(connection, _ONE, [*postgres_values(sealed[0]), *locks[0]])
        return
    for start in range(0, len(sealed), ROWS_PER_STATEMENT):
        part = sealed[start : start + ROWS_PER_STATEMENT]
        columns = list(zip(*map(postgres_values, part), strict=True))
        wanted = [[topic for topic, _ in locks], [slot for _, slot in locks]]
        sql.execute(connection, _MANY, [*wanted, *map(list, columns)])


def sqlite_values(one: EncodedEvent) -> tuple[Any, ...]:
    """Return an event's values for COLUMNS as SQLite holds them, without `rejected`, which is empty."""
    identity = one.identity.replace("-", "")
    return identity, one.topic, one.type, one.key, one.payload, one.headers, _sqlite_time(one.created_at)


_sqlite_time = lru_cache(maxsize=1)(sql.sqlite_time)  # all events of one call have the same time


def postgres_values(one: EncodedEvent) -> tuple[Any, ...]:
    """Return the same values as PostgreSQL's driver takes them."""
    return one.event_id, one.topic, one.type, one.key, one.payload, one.headers, one.created_at
