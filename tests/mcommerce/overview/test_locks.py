"""Somebody holds a table, or SQLite's write lock: the overview names it within seconds, and shows what can be read."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from eventbus.models import OutboxRow, ProcessRow
from mcommerce import readiness
from mcommerce.readiness.database import database_problem
from mcommerce.readiness.table_locks import beginning

PAGE, GROUPS = "/eventbus/", "/eventbus/groups/"
SECONDS_MAX = 6.0  # of a page; a lock is given up after one, and a page meets some of them
LOCKED = "A table is locked"
SESSIONS = "django_session"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def a_server_that_has_not_looked_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The readiness of a server is checked by a thread of its own."""
    monkeypatch.setattr(readiness, "found", lambda: {})


@pytest.fixture
def on_postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one lock for all tables")


@pytest.fixture
def on_sqlite() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has one write lock")


@contextmanager
def held(table: str) -> Iterator[int]:
    """Somebody left a transaction open that holds the table. Yield the server process of PostgreSQL."""
    other = connection.copy()
    with closing(other):
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            cursor.execute(f"SELECT 1 FROM {table} WHERE 'ada@example.com' = 'a secret'")
            cursor.execute("SELECT pg_backend_pid()")
            [pid] = cursor.fetchone()
        yield pid
        other.rollback()


def get(client: Client, path: str, **asked: Any) -> Any:
    """The answer, which must come soon."""
    begun = time.monotonic()
    answer = client.get(path, **asked)
    assert time.monotonic() - begun < SECONDS_MAX
    return answer


@pytest.mark.usefixtures("on_postgresql")
def test_a_locked_bus_table_is_named_with_who_holds_it_and_the_rest_is_shown(operator: Client) -> None:
    with held(OutboxRow._meta.db_table) as pid:
        html = get(operator, PAGE).text

    assert LOCKED in html and "eventbus_outbox by server process" in html
    assert f"SELECT pg_terminate_backend({pid})" in html and "in a transaction since" in html
    assert html.count("Cannot be read while a table is locked.") == 2  # groups and outbox
    assert ProcessRow.objects.get().host in html and 'data-faults="1"' in html


@pytest.mark.usefixtures("on_postgresql")
def test_the_lock_that_is_over_is_no_longer_named_and_other_statements_wait_as_before(operator: Client) -> None:
    with held(OutboxRow._meta.db_table):
        get(operator, PAGE)

    assert LOCKED not in get(operator, PAGE).text
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("8s", "0")


@pytest.mark.usefixtures("on_postgresql")
def test_another_page_names_the_lock_in_place_of_its_figures(operator: Client) -> None:
    with held("eventbus_progress"):
        page, part = get(operator, GROUPS), get(operator, GROUPS, data={"part": "state"})

    assert (page.status_code, part.status_code) == (503, 503)
    assert "This page cannot be read while a table is locked" in page.text and "eventbus_progress" in page.text
    assert part.headers["X-Overview-Unread"] and "<html" not in part.text and 'class="fault__title"' in part.text


@pytest.mark.usefixtures("on_postgresql")
@pytest.mark.parametrize("table", [SESSIONS, "accounts_user", "auth_permission"])
def test_nobody_is_recognised_and_reads_which_table_is_locked_and_nothing_else(operator: Client, table: str) -> None:
    with held(table) as pid:
        page, part = get(operator, PAGE), get(operator, PAGE, data={"part": "state"})

    for answer in (page, part):
        assert answer.status_code == 503 and answer.headers["Retry-After"]
        assert LOCKED in answer.text and f"locked: {table}." in answer.text
        assert str(pid) not in answer.text and "ada@example.com" not in answer.text
        assert ProcessRow.objects.get().host + "<" not in answer.text and "bus-tabs" not in answer.text
        assert "no-store" in answer.headers["Cache-Control"]
    assert get(operator, PAGE).status_code == 200


@contextmanager
def write_lock(mode: str) -> Iterator[None]:
    """Another program holds the database."""
    other = connection.copy()
    with closing(other):
        other.connect()
        other.connection.execute(f"PRAGMA locking_mode = {mode}")
        other.connection.execute("BEGIN EXCLUSIVE")
        yield
        other.connection.execute("ROLLBACK")


@pytest.mark.usefixtures("on_sqlite")
def test_a_write_lock_of_sqlite_is_named_and_everything_is_shown(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.1)  # of the check
    with write_lock("NORMAL"):
        connection.close()
        monkeypatch.setattr(readiness, "found", lambda: {"database": database_problem()})
        html = get(operator, PAGE).text

    assert "The database has a fault" in html and "locked (database is locked" in html
    assert "Cannot be read" not in html and 'data-faults="1"' in html


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("LOCK TABLE orders_order IN ACCESS EXCLUSIVE MODE", "LOCK TABLE orders_order IN ACCESS EXCLUSIVE MODE"),
        ("UPDATE orders_order SET email = 'ada@example.com'", "UPDATE orders_order SET email"),
        ("SELECT $$ada$$ FROM orders_order", "SELECT"),
        ("/* of ada */ SELECT", ""),
        ("<insufficient privilege>", ""),
        ("SELECT 42", "SELECT"),
    ],
)
def test_a_statement_is_told_up_to_its_first_value(statement: str, told: str) -> None:
    assert beginning(statement) == told
