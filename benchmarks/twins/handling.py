"""Durable handling as by hand, past everything but the driver: the limit beside a worker of the bus.

The statements are a worker's, text for text, written out here so that they can be compared with its own; batches and
transactions are a worker's too. The handler's row goes through a cursor of Django's on both sides, one for each event:
that is the user's code, not the bus's.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from functools import cache
from typing import Any, NamedTuple

import msgspec
from django.db import connection, transaction

from benchmarks.sales import LEDGER
from eventbus import clock
from eventbus.backends.outbox_offsets import OFFSET_MAX
from eventbus.models import Progress
from eventbus.registry import BATCH_EVENTS

TWIN = "benchmark-by-hand"  # a group of its own that nobody registered

BOOK = f"INSERT INTO {LEDGER} (order_id, amount) VALUES (%s, %s)"

# `%b` is bound by PostgreSQL's server; for SQLite it is `?`. What is in braces differs, see DIALECTS.
WAITS = """
    SELECT (
        SELECT CASE WHEN EXISTS (SELECT 1 FROM eventbus_divergence) THEN 'diverged'
            WHEN paused_at IS NOT NULL THEN 'paused' ELSE 'breaker' END
        FROM eventbus_consumergroup
        WHERE name = %b
        AND ((paused_at IS NOT NULL OR EXISTS (SELECT 1 FROM eventbus_divergence)) OR breaker_opened_at IS NOT NULL)
    ), EXISTS (
        SELECT 1 FROM eventbus_parkedkey WHERE "group" = %b AND state = 'retrying' AND due_at <= %b
        UNION ALL SELECT 1 FROM eventbus_deadletter WHERE "group" = %b AND request > ''
    )
"""
READ = """
    SELECT id, log_offset, key, type, event_id, payload, headers FROM eventbus_outbox
    WHERE topic = %b AND partition = %b AND log_offset >= %b AND log_offset < %b ORDER BY log_offset LIMIT %b
"""
HOLD = """
    SELECT "id", "group", "topic", "partition", "start", "log_began", "log_offset", "epoch", "released",
        "running_event", "crashes", "handled", "ignored", "discarded", "pruned_handled", "pruned_ignored",
        "pruned_discarded", "pruned_before", "untrusted", "moved_at",
        (SELECT CASE WHEN EXISTS (SELECT 1 FROM eventbus_divergence) THEN 'diverged'
            WHEN paused_at IS NOT NULL THEN 'paused' ELSE 'breaker' END
            FROM eventbus_consumergroup
            WHERE name = %b
        AND ((paused_at IS NOT NULL OR EXISTS (SELECT 1 FROM eventbus_divergence)) OR breaker_opened_at IS NOT NULL)
        ), {limit}
    FROM eventbus_progress WHERE "group" = %b AND topic = %b AND partition = %b {lock}
"""
KNOWN = """
    SELECT event_id FROM eventbus_inbox WHERE "group" = %b AND replay = %b AND {among_ids}
    UNION ALL SELECT event_id FROM eventbus_parkedevent WHERE "group" = %b AND {among_ids}
    UNION ALL SELECT event_id FROM eventbus_deadletter WHERE "group" = %b AND {among_ids}
"""
PARKED = 'SELECT key FROM eventbus_parkedkey WHERE "group" = %b AND topic = %b AND {among_keys}'
NOTE = {
    "postgresql": (
        'INSERT INTO eventbus_inbox ("group", event_id, replay, handled_at)'
        " SELECT %b, event_id, %b, %b FROM unnest(%b::uuid[]) AS event_id"
    ),
    "sqlite": (
        'INSERT INTO eventbus_inbox ("group", event_id, replay, handled_at)'
        " SELECT %b, event_id, %b, %b FROM (SELECT value AS event_id FROM json_each(%b))"
    ),
}
SAVE = """
    UPDATE eventbus_progress
    SET moved_at = CASE WHEN log_offset = %b THEN moved_at ELSE %b END,
        log_offset = %b, handled = %b, ignored = %b, discarded = %b, running_event = %b, crashes = %b WHERE id = %b
"""
DIALECTS = {
    "postgresql": {
        "lock": "FOR UPDATE",
        "limit": (
            "CASE WHEN current_setting('statement_timeout') = '0'"
            " THEN set_config('statement_timeout', '30000', true) END"
        ),
        "among_ids": "event_id = ANY(%b::uuid[])",
        "among_keys": "key = ANY(%b::text[])",
    },
    "sqlite": {
        "lock": "",
        "limit": "NULL",
        "among_ids": "event_id IN (SELECT value FROM json_each(%b))",
        "among_keys": "key IN (SELECT value FROM json_each(%b))",
    },
}


class Told(NamedTuple):
    """An event that came from the log."""

    event_id: Any  # as the driver has it: a UUID, or 32 hexadecimal digits on SQLite
    key: str
    offset: int
    payload: bytes


def stand_beside(group: str) -> None:
    """The twin's progress begins where the group's is."""
    for row in Progress.objects.filter(group=group):
        Progress.objects.create(group=TWIN, topic=row.topic, partition=row.partition, offset=row.offset)


def handle_log(count: int) -> None:
    """So many events of the table that is the log, as a worker has just handled them."""
    for topic, partition, offset in Progress.objects.filter(group=TWIN).values_list("topic", "partition", "offset"):
        more = True
        while more:
            rows = _run(READ, [topic, partition, offset, OFFSET_MAX, BATCH_EVENTS])
            told = [Told(event_id, key, place, payload) for _, place, key, _, event_id, payload, _ in rows]
            if told:
                handle_batch(topic, partition, told)
                offset = told[-1].offset + 1
                count -= len(told)
            more = len(told) == BATCH_EVENTS
    assert count <= 0, f"{count} events were left"


def handle_batch(topic: str, partition: int, told: Sequence[Told]) -> None:
    [stopped_or_waits] = _run(WAITS, [TWIN, TWIN, _now(), TWIN])
    assert not any(stopped_or_waits), "nobody pauses it, and nothing was parked"
    with transaction.atomic():
        [held] = _run(HOLD, [TWIN, TWIN, topic, partition])
        row_id, offset, stopped = held[0], held[6], held[-2]
        handled, ignored, discarded = held[11:14]
        assert not stopped, "nobody pauses it"
        fresh = _fresh(topic, [one for one in told if one.offset >= offset])
        for one in fresh:
            _book(msgspec.json.decode(one.payload))
        _note([one.event_id for one in fresh])
        moved = [told[-1].offset + 1, _now()]
        counts = [told[-1].offset + 1, handled + len(fresh), ignored, discarded]
        _run(SAVE, [*moved, *counts, None, 0, row_id])


def _book(sale: Mapping[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(BOOK, [sale["order_id"], sale["amount"]])


def _fresh(topic: str, told: Sequence[Told]) -> list[Told]:
    """Those that are not handled, parked or buried, nor behind a parked key."""
    ids = _list(one.event_id for one in told)
    known = {event_id for (event_id,) in _run(KNOWN, [TWIN, 0, ids, TWIN, ids, TWIN, ids])}
    parked = {key for (key,) in _run(PARKED, [TWIN, topic, _list({one.key for one in told})])}
    return [one for one in told if one.event_id not in known and one.key not in parked]


def _note(event_ids: list[Any]) -> None:
    _run(NOTE[connection.vendor], [TWIN, 0, _now(), _list(event_ids)])


def _run(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What it finds. Past Django, through the driver's own cursor, which binds on the server."""
    text = _in_dialect(statement)
    if connection.vendor == "sqlite":
        return list(connection.connection.execute(text, values).fetchall())
    import psycopg

    cursor = psycopg.Cursor(connection.connection).execute(text, values, binary=True)
    return cursor.fetchall() if cursor.description else []


@cache
def _in_dialect(statement: str) -> str:
    text = statement.format(**DIALECTS[connection.vendor])
    return text if connection.vendor == "postgresql" else text.replace("%b", "?")


def _list(values: Iterable[str]) -> Any:
    return list(values) if connection.vendor == "postgresql" else msgspec.json.encode(list(values)).decode()


def _now() -> Any:
    now = clock.now()
    return now if connection.vendor == "postgresql" else now.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
