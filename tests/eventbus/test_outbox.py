"""Many publish at once: on PostgreSQL each takes its keys' locks first, and nobody waits in a circle."""

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from eventbus import publish
from eventbus.inserts import LOCK_SLOTS, ROWS_PER_STATEMENT
from eventbus.models import OutboxRow
from tests.eventbus.busy import waiting_publishers
from tests.eventbus.house import House, Noted, until

ENDS = ("Query", "Sync")  # what a client sends last, before it waits for the server


def lock_slot(name: str) -> int:
    """Which of its topic's locks a key's events take."""
    return zlib.crc32(name.encode()) % LOCK_SLOTS


def keys_by_lock(count: int) -> list[str]:
    """Keys that share no lock, in the order of their locks."""
    found = {lock_slot(name): name for name in (f"key{number}" for number in range(10 * count))}
    return [found[slot] for slot in sorted(found)][:count]


@contextmanager
def publishing(house: House, *notes: tuple[str, int]) -> Iterator[list[DatabaseError]]:
    """In a thread of its own, until the end; yields what went wrong there."""
    errors: list[DatabaseError] = []

    def say() -> None:
        try:
            house.say(*notes)
        except DatabaseError as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=say)
    thread.start()
    try:
        yield errors
    finally:
        thread.join()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.parametrize("rows", [1, ROWS_PER_STATEMENT], ids=["one statement", "several statements"])
def test_two_who_publish_the_same_keys_in_opposite_orders_both_get_through(house: House, rows: int) -> None:
    gate, one, other = keys_by_lock(3)  # the gate's lock sorts first: who holds another before it is caught in a circle
    there = [*((one, number) for number in range(rows)), (gate, 0), (other, 0)]
    back = [*((other, number) for number in range(rows)), (gate, 0), (one, 0)]

    with ExitStack() as threads, transaction.atomic():
        house.say((gate, 1))  # holds the gate's lock until this transaction ends
        errors = [threads.enter_context(publishing(house, *notes)) for notes in (there, back)]
        until(lambda: waiting_publishers() == 2, "both wait at the gate, with all that they hold by then")

    assert errors == [[], []]
    assert OutboxRow.objects.count() == len(there) + len(back) + 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_as_many_keys_as_a_whole_poll_tells_need_few_locks(house: House) -> None:
    """PostgreSQL keeps all locks of all sessions in a table of some thousands."""
    with transaction.atomic(), connection.cursor() as cursor:
        house.say(*((f"key{number}", 1) for number in range(2_550)))
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone()[0] == LOCK_SLOTS


def test_who_counts_queries_sees_that_many_events_are_one(house: House) -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as seen:
        told = publish(*(Noted(name=f"key{number}", number=number) for number in range(20)))

    assert [("INSERT INTO eventbus_outbox" in query["sql"]) for query in seen.captured_queries] == [True]
    assert OutboxRow.objects.count() == len(told) == 20


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no wire")
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
