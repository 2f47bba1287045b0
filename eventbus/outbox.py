"""Publishing: one raw INSERT on the caller's connection, in the caller's transaction."""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus import failpoints
from eventbus.bells import published
from eventbus.errors import PublishInReplay, PublishOutsideTransaction
from eventbus.events import Event, Sealed, in_replay, seal
from eventbus.models import OutboxRow, Timer

ROWS_PER_INSERT = 1_000  # SQLite takes at most 32,766 parameters a statement
LOCK_SLOTS = 64  # locks a topic: PostgreSQL's shared memory ends at some thousands, and 64 keys at once rarely meet
COLUMNS = ("event_id", "topic", "type", "key", "payload", "headers", "created_at", "refused")
# The common case without arrays: PostgreSQL plans it in half the time.
_ONE_ON_POSTGRES = f"""
    INSERT INTO eventbus_outbox ({", ".join(COLUMNS)})
    SELECT %s, %s, %s, %s, %s, %s, %s, %s FROM (SELECT pg_advisory_xact_lock(%s, %s)) AS locks
"""


def publish(*events: Event, due: datetime | None = None, ordered: bool = True) -> list[UUID]:
    """Tell facts in the current transaction: they are heard once it commits, and never if it does not.

    Events of one key are heard in commit order. All events of a call are one INSERT. `due` makes timers instead: they
    are published at that time. `ordered=False` gives up the order per key and takes no lock.
    Returns the events' ids. Raises PublishOutsideTransaction, PublishInReplay, EventTooLarge, and ValueError for
    U+0000 in a text.
    """
    if in_replay():
        raise PublishInReplay(
            "publish() was called in a replay: what follows from an event was told when it was handled first. "
            "A handler that publishes must not be declared replayable"
        )
    connection = connections[router.db_for_write(OutboxRow)]
    _refuse_outside_transaction(connection)
    sealed = [seal(event) for event in events]
    if due is not None:
        Timer.objects.using(connection.alias).bulk_create(
            Timer(
                due=due,
                event_id=one.event_id,
                topic=one.topic,
                type=one.type,
                key=one.key,
                payload=one.payload,
                headers=one.headers,
            )
            for one in sealed
        )
        failpoints.hit("timer.set")
    else:
        insert(connection, sealed, ordered=ordered)
    return [one.event_id for one in sealed]


def _refuse_outside_transaction(connection: BaseDatabaseWrapper) -> None:
    """A test case's own atomic block does not count, or a forgotten `atomic` would pass every test."""
    if not any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise PublishOutsideTransaction(
            "publish() was called outside a transaction: put it and the rows it tells of into one transaction.atomic()"
        )


def insert(connection: BaseDatabaseWrapper, sealed: Sequence[Sealed], *, ordered: bool = True) -> None:
    """Add events to the outbox, and wake the relay when the transaction commits."""
    slots = _slots(sealed) if ordered else []  # of all events at once: sorted locks never deadlock
    for start in range(0, len(sealed), ROWS_PER_INSERT):
        part = sealed[start : start + ROWS_PER_INSERT]
        statement, parameters = _postgres(part, slots) if connection.vendor == "postgresql" else _sqlite(part)
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
    failpoints.hit("publish")
    transaction.on_commit(published.ring, using=connection.alias, robust=True)


def _sqlite(sealed: Sequence[Sealed]) -> tuple[str, list[Any]]:
    """One writer at a time: ids are drawn in commit order by themselves."""
    row = f"({', '.join(['%s'] * len(COLUMNS))})"
    statement = f"INSERT INTO eventbus_outbox ({', '.join(COLUMNS)}) VALUES {', '.join([row] * len(sealed))}"
    return statement, [value for one in sealed for value in _values(one, one.event_id.hex, _naive(one.created_at))]


def _naive(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(sep=" ")


def _slots(sealed: Sequence[Sealed]) -> list[tuple[int, int]]:
    """Which locks these events need, sorted."""
    return sorted({(_signed(one.topic), zlib.crc32(one.key.encode()) % LOCK_SLOTS) for one in sealed})


def _postgres(sealed: Sequence[Sealed], slots: Sequence[tuple[int, int]]) -> tuple[str, list[Any]]:
    """The locks are taken in FROM, so that ids are drawn after them."""
    if len(sealed) == 1 and len(slots) == 1:
        return _ONE_ON_POSTGRES, [*_values(sealed[0], sealed[0].event_id, sealed[0].created_at), *slots[0]]
    columns = list(zip(*(_values(one, one.event_id, one.created_at) for one in sealed), strict=True))
    statement = f"""
        WITH locks AS MATERIALIZED (
            SELECT pg_advisory_xact_lock(topic, slot) FROM unnest(%s::int[], %s::int[]) AS slots (topic, slot)
        )
        INSERT INTO eventbus_outbox ({", ".join(COLUMNS)})
        SELECT {", ".join(f"event.{name}" for name in COLUMNS)}
        FROM (SELECT count(*) FROM locks) AS held,
            unnest(
                %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[], %s::timestamptz[], %s::text[]
            )
            WITH ORDINALITY AS event ({", ".join(COLUMNS)}, place)
        ORDER BY event.place
    """
    return statement, [
        [topic for topic, _ in slots],
        [slot for _, slot in slots],
        *(list(column) for column in columns),
    ]


def _signed(topic: str) -> int:
    """A topic's number for an advisory lock: PostgreSQL takes signed 32-bit integers."""
    return zlib.crc32(topic.encode()) - 2**31


def _values(one: Sealed, event_id: Any, created_at: Any) -> tuple[Any, ...]:
    return (event_id, one.topic, one.type, one.key, one.payload, one.headers, created_at, "")
