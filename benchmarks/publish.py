"""What telling an event costs the caller: beside the domain row alone, and beside the bare INSERT of the same bytes."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection, transaction

from benchmarks.measure import Goal, Row, rate
from benchmarks.sales import Sale, SaleMade, made, make_table
from benchmarks.site import Bench
from eventbus import inserts, publish
from eventbus.events import seal
from eventbus.ids import uuid7

TRANSACTIONS = 300  # of one round; a second's worth on a slow disk
TRANSACTIONS_QUICK = 60
AT_ONCE = 500  # a poll's changes in a busy minute
TWIN = "benchmarks_twin"


def measure(bench: Bench) -> Iterator[Row]:
    make_table()
    twin = Twin()
    events = [SaleMade(order_id=uuid7(), amount=1900, currency="EUR") for _ in range(AT_ONCE)]
    count = TRANSACTIONS_QUICK if bench.quick else TRANSACTIONS
    yield bench.row(
        "publish one",
        lambda: rate(lambda: each_with_event(count), count=count),
        unit="events/s",
        beside="the row alone",
        peer=lambda: rate(lambda: each_alone(count), count=count),
        # SQLite: no round trip. PostgreSQL: one more beside BEGIN, INSERT and COMMIT.
        goal=Goal(ratio_min=0.8 if bench.database == "sqlite" else 0.6),
    )
    yield bench.row(
        f"publish {AT_ONCE} at once, with their rows",
        lambda: rate(all_with_events, count=AT_ONCE),
        unit="events/s",
        beside="the rows alone, in one bulk_create",
        peer=lambda: rate(all_alone, count=AT_ONCE),
        goal=Goal(ratio_min=0.5),
    )
    yield bench.row(
        f"publish {AT_ONCE} at once",
        lambda: rate(lambda: all_of(events), count=AT_ONCE),  # made beforehand, as the twin's rows are
        unit="events/s",
        beside="the driver's own INSERT of many rows, the same bytes",
        peer=lambda: rate(twin.insert, count=AT_ONCE),
        goal=Goal(ratio_min=0.5),
    )


def each_with_event(count: int) -> None:
    for _ in range(count):
        with transaction.atomic():
            publish(made(Sale.objects.create()))


def each_alone(count: int) -> None:
    for _ in range(count):
        with transaction.atomic():
            Sale.objects.create()


def all_with_events() -> None:
    with transaction.atomic():
        publish(*map(made, Sale.objects.bulk_create(Sale() for _ in range(AT_ONCE))))


def all_alone() -> None:
    with transaction.atomic():
        Sale.objects.bulk_create(Sale() for _ in range(AT_ONCE))


def all_of(events: Sequence[SaleMade]) -> None:
    with transaction.atomic():
        publish(*events)


class Twin:
    """A table like the outbox, indexes and all, and rows as the bus writes them, encoded beforehand."""

    def __init__(self) -> None:
        values = inserts.postgres_values if connection.vendor == "postgresql" else inserts.sqlite_values
        self._rows = [values(one) for one in seal([made(Sale()) for _ in range(AT_ONCE)])]
        row = f"({', '.join(['%s'] * len(self._rows[0]))}, '')"
        self._statement = f"INSERT INTO {TWIN} ({', '.join(inserts.COLUMNS)}) VALUES {', '.join([row] * AT_ONCE)}"
        with connection.cursor() as cursor:
            for statement in _twin_statements():
                cursor.execute(statement)

    def insert(self) -> None:
        values = [value for row in self._rows for value in row]
        with transaction.atomic():
            if connection.vendor == "postgresql":
                _server_cursor().execute(self._statement, values)
            else:
                connection.connection.execute(self._statement.replace("%s", "?"), values)


def _server_cursor() -> Any:
    """The driver's own, which binds on the server. The connection's quotes on the client, as Django wants it."""
    import psycopg

    return psycopg.Cursor(connection.connection)


def _twin_statements() -> list[str]:
    if connection.vendor == "postgresql":
        return [f"CREATE TABLE {TWIN} (LIKE eventbus_outbox INCLUDING ALL)"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'eventbus_outbox' AND sql IS NOT NULL")
        found = [statement for (statement,) in cursor.fetchall()]
    named = [re.sub(r'INDEX "(\w+)"', r'INDEX "twin_\1"', statement) for statement in found]
    return [statement.replace('"eventbus_outbox"', f'"{TWIN}"') for statement in named]
