"""What publishing many costs: few locks, and a statement for a thousand events."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from eventbus import publish
from eventbus.database.outbox_inserts import LOCK_SLOTS, ROWS_PER_STATEMENT
from eventbus.models import OutboxRow
from tests.eventbus.bus_app import House, Noted

ENDS = ("Query", "Sync")  # what a client sends last, before it waits for the server


@pytest.mark.postgresql(only=True)
def test_as_many_keys_as_a_whole_poll_tells_need_few_locks(house: House) -> None:
    """PostgreSQL keeps all locks of all sessions in a table of some thousands."""
    with transaction.atomic(), connection.cursor() as cursor:
        house.say(*((f"key{number}", 1) for number in range(2_550)))
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone()[0] == LOCK_SLOTS


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's statements are counted on the wire")
@pytest.mark.parametrize(("count", "statements"), [(1, 1), (128, 1), (300, 8), (500, 12)])
def test_many_events_share_statements_also_where_nobody_counts_queries(
    house: House, count: int, statements: int
) -> None:
    seen: list[str] = []
    with transaction.atomic():
        connection.connection.set_trace_callback(seen.append)
        try:
            publish(*(Noted(name=f"key{number}", number=number) for number in range(count)))
        finally:
            connection.connection.set_trace_callback(None)

    assert sum("INSERT INTO eventbus_outbox" in statement for statement in seen) == statements
    assert OutboxRow.objects.count() == count


@pytest.mark.postgresql(only=True)
@pytest.mark.parametrize(("count", "statements"), [(1, 1), (20, 1), (ROWS_PER_STATEMENT + 1, 2)])
def test_publishing_costs_one_round_trip_a_statement(house: House, tmp_path: Path, count: int, statements: int) -> None:
    with transaction.atomic():
        house.write("the publisher", Noted(name="vase", number=1))  # BEGIN travels with the first statement
        with traced(tmp_path / "wire") as requests:
            publish(*(Noted(name=f"key{number}", number=number) for number in range(count)))

    assert requests() == statements


@contextmanager
def traced(path: Path) -> Iterator[Callable[[], int]]:
    """What libpq sends, as it writes it down itself; yields how often it waited for an answer."""
    with path.open("w") as file:
        connection.connection.pgconn.trace(file.fileno())
        yield lambda: sum(line.split("\t")[1:2] == ["F"] and line.split("\t")[3] in ENDS for line in _lines(path))
        connection.connection.pgconn.untrace()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
