"""Telling nothing: the domain rows alone. And the events' bytes alone, by the driver's own INSERT of many rows."""

import re
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from benchmarks.sales import Sale
from eventbus.database import outbox_inserts
from eventbus.events import Event
from eventbus.publishing.encoding import encode

TWIN = "benchmarks_twin"


def each_alone(count: int) -> None:
    for _ in range(count):
        with transaction.atomic():
            Sale.objects.create()


def all_alone(count: int) -> None:
    with transaction.atomic():
        Sale.objects.bulk_create(Sale() for _ in range(count))


class Inserting:
    """A table like the outbox, indexes and all, and rows as the bus writes them, encoded beforehand."""

    def __init__(self, events: Sequence[Event]) -> None:
        values = outbox_inserts.postgres_values if connection.vendor == "postgresql" else outbox_inserts.sqlite_values
        self._rows = [values(one) for one in encode(events)]
        row = f"({', '.join(['%s'] * len(self._rows[0]))}, '')"
        self._statement = (
            f"INSERT INTO {TWIN} ({', '.join(outbox_inserts.COLUMNS)}) VALUES {', '.join([row] * len(self._rows))}"
        )
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
