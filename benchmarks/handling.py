"""Durable handling, one row written per event, beside a loop written by hand with the same statements."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, transaction

from benchmarks.measure import Goal, Row, rate
from benchmarks.relay import drain, publish_many
from benchmarks.sales import SaleMade, skip_backlog
from benchmarks.site import Bench
from eventbus import backends, clock, handles, registry
from eventbus.models import Progress
from eventbus.registry import BATCH_EVENTS
from eventbus.relay import Relay
from eventbus.worker import Worker

GROUP, TWIN = "benchmark-ledger", "benchmark-by-hand"
BATCHES = 10
BATCHES_QUICK = 4
LEDGER = "benchmarks_ledger"


@handles(SaleMade, group=GROUP)
def book(event: SaleMade) -> None:
    write(str(event.order_id), event.amount)


def write(order_id: str, amount: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {LEDGER} (order_id, amount) VALUES (%s, %s)", [order_id, amount])


def measure(bench: Bench) -> Iterator[Row]:
    count = (BATCHES_QUICK if bench.quick else BATCHES) * BATCH_EVENTS
    make_ledger()
    skip_backlog()
    stand_beside()
    worker = Worker(registry.groups[GROUP], backends.current())
    yield bench.row(
        f"handle batches of {BATCH_EVENTS}",
        lambda: _after(publish_and_relay, count, lambda: rate(lambda: work(worker), count=count)),
        unit="events/s",
        beside="by hand: the same statements in the same batches",
        peer=lambda: rate(lambda: work_by_hand(count), count=count),
        goal=Goal(ratio_min=0.8),
    )


def _after(prepare: Callable[[int], None], count: int, measured: Callable[[], float]) -> float:
    prepare(count)
    return measured()


def publish_and_relay(count: int) -> None:
    publish_many(count)
    drain(Relay(backends.current()))


def make_ledger() -> None:
    number = "bigint GENERATED ALWAYS AS IDENTITY" if connection.vendor == "postgresql" else "integer"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {LEDGER} (id {number} PRIMARY KEY, order_id text, amount integer)")


def work(worker: Worker) -> None:
    while worker.step():
        pass


def work_by_hand(count: int) -> None:
    """What the worker has just handled, once more for a group of its own that nobody registered."""
    for place in Progress.objects.filter(group=TWIN).values_list("topic", "partition"):
        while handled := _batch_by_hand(*place):
            count -= handled
    assert count <= 0, f"{count} events were left"


def stand_beside() -> None:
    """The twin's progress begins where the worker's is."""
    for row in Progress.objects.filter(group=GROUP):
        Progress.objects.create(group=TWIN, topic=row.topic, partition=row.partition, position=row.position)


def _batch_by_hand(topic: str, partition: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        position = _locked_position(cursor, topic, partition)
        cursor.execute(
            "SELECT event_id, key, position, type, payload, headers FROM eventbus_outbox"
            " WHERE topic = %s AND partition = %s AND position >= %s ORDER BY position LIMIT %s",
            [topic, partition, position, BATCH_EVENTS],
        )
        rows = cursor.fetchall()
        if not rows:
            return 0
        fresh = fresh_rows(cursor, topic, rows)
        for row in fresh:
            event = json.loads(bytes(row[4]))
            write(event["order_id"], event["amount"])
        note_by_hand(cursor, topic, partition, [row[0] for row in fresh], rows[-1][2] + 1)
    return len(rows)


def note_by_hand(cursor: Any, topic: str, partition: int, handled: list[Any], position: int) -> None:
    now = connection.ops.adapt_datetimefield_value(clock.now())
    cursor.executemany(
        'INSERT INTO eventbus_inbox ("group", event_id, replay, handled_at) VALUES (%s, %s, 0, %s)',
        [(TWIN, event_id, now) for event_id in handled],
    )
    cursor.execute(
        "UPDATE eventbus_progress SET position = %s, handled = handled + %s"
        ' WHERE "group" = %s AND topic = %s AND partition = %s',
        [position, len(handled), TWIN, topic, partition],
    )


def _locked_position(cursor: Any, topic: str, partition: int) -> int:
    lock = " FOR UPDATE" if connection.vendor == "postgresql" else ""
    cursor.execute(
        f'SELECT position FROM eventbus_progress WHERE "group" = %s AND topic = %s AND partition = %s{lock}',
        [TWIN, topic, partition],
    )
    position: int = cursor.fetchone()[0]
    return position


def fresh_rows(cursor: Any, topic: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Those that are not handled, parked or buried, nor behind a parked key: the questions that the worker asks."""
    ids, keys = [row[0] for row in rows], [row[1] for row in rows]
    known = set()
    for table in ("eventbus_inbox", "eventbus_parkedevent", "eventbus_deadletter"):
        cursor.execute(f'SELECT event_id FROM {table} WHERE "group" = %s AND event_id IN ({_marks(ids)})', [TWIN, *ids])
        known |= {row[0] for row in cursor.fetchall()}
    cursor.execute(
        f'SELECT key FROM eventbus_parkedkey WHERE "group" = %s AND topic = %s AND key IN ({_marks(keys)})',
        [TWIN, topic, *keys],
    )
    parked = {row[0] for row in cursor.fetchall()}
    return [row for row in rows if row[0] not in known and row[1] not in parked]


def _marks(values: list[Any]) -> str:
    return ", ".join(["%s"] * len(values))
