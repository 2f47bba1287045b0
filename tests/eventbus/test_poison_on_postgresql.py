"""Poison that looks like the world, as PostgreSQL really has it: a timeout, a killed backend, a row that is held."""

from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.eventbus.bus_app import House
from tests.eventbus.test_idle_sessions import same
from tests.waiting import until

OTHERS = [(f"chair {number}", 1) for number in range(20)]
pytestmark = pytest.mark.postgresql(only=True)


def run_into_the_timeout() -> None:
    run("SET LOCAL statement_timeout = 50", "SELECT pg_sleep(60)")


def be_killed() -> None:
    run("SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1")


def wait_for_the_row() -> None:
    run("SET LOCAL lock_timeout = 50", "UPDATE house_seen SET number = number WHERE name = 'held'")


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventbus.consuming.worker.CONTENTION_SECONDS", 0.5)


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize("end_world", [run_into_the_timeout, be_killed, wait_for_the_row])
def test_an_event_that_breaks_its_own_world_holds_up_no_other(house: House, end_world: Callable[[], None]) -> None:
    house.handler(call=lambda event: end_world() if event.name == "vase" else None, attempts=2)
    run("INSERT INTO house_seen (team, name, number) VALUES ('others', 'held', 0)")
    house.say(("vase", 1), *OTHERS, ("vase", 2))
    house.relay()

    with held() if end_world is wait_for_the_row else nullcontext(), house.working():
        until(lambda: len(house.seen()) == len(OTHERS), "all others handled")
        until(house.dead, "it is set aside for good")

    assert sorted(house.seen()) == sorted(OTHERS)
    assert [(letter.key, letter.attempts) for letter in house.dead()] == [("vase", 2)]
    assert house.waiting() == [2]


@pytest.mark.usefixtures("_hasty")
def test_an_event_whose_row_is_let_go_of_is_handled_in_its_order(house: House) -> None:
    house.handler(call=lambda event: wait_for_the_row() if event.name == "vase" else None)
    run("INSERT INTO house_seen (team, name, number) VALUES ('others', 'held', 0)")
    house.say(("vase", 1), ("vase", 2), *OTHERS)
    house.relay()

    with ExitStack() as stack:
        with held():
            stack.enter_context(house.working())
            until(lambda: len(house.seen()) == len(OTHERS), "all others handled")
        until(lambda: len(house.seen(name="vase")) == 2, "both handled once the row was free")

    assert house.seen(name="vase") == [1, 2]
    assert (house.parked(), house.dead()) == ([], [])


def held() -> Any:
    """Somebody holds the row, as who has begun a transaction in `psql` and gone to lunch."""
    stranger = psycopg.connect(**same())
    stranger.execute("SELECT 1 FROM house_seen WHERE name = 'held' FOR UPDATE")
    stranger.execute("SET idle_in_transaction_session_timeout = 0")
    return closing(stranger)
