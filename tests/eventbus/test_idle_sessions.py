"""Who stands still in a transaction of PostgreSQL's holds nobody up for long: a frozen process, or a slow handler."""

from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from eventbus import backends
from eventbus.backends.base import partition_of
from eventbus.database.leases import Lease
from eventbus.operations.pruning import Pruning
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.busy_site import KEEP, kept, many, threads, waiting
from tests.waiting import until

SLOW = ("slow", "snail")  # of two partitions, which take turns
TIMEOUT = "terminating connection due to idle-in-transaction timeout"  # in PostgreSQL's words
pytestmark = pytest.mark.postgresql(only=True)


def test_who_idles_with_a_lock_is_ended_and_the_event_is_handled_at_its_only_attempt(house: House) -> None:
    house.handler(attempts=1)
    house.say(("vase", 1))
    house.relay()

    with closing(psycopg.connect(**same())) as stopped:
        stopped.execute("SELECT 1 FROM eventbus_progress FOR UPDATE")
        with house.working():
            until(lambda: house.seen() == [("vase", 1)], "the lock let go of, and the event handled")

        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            stopped.execute("SELECT 1")
    assert house.dead() == []


def test_an_event_whose_handler_idles_too_long_is_set_aside_and_the_others_go_on(house: House) -> None:
    house.handler("house-a", lambda event: event.name == "vase" or idle_until_ended(), attempts=2)
    assert len({partition_of(key, len(backends.current().partitions([Noted.topic]))) for key in SLOW}) == 2
    house.say((SLOW[0], 1), (SLOW[1], 1), ("vase", 1), (SLOW[0], 2))
    house.relay()

    with house.working():
        until(lambda: len(house.dead()) == 2 and house.seen(), "the slow ones set aside, and the other handled")

    assert house.seen() == [("vase", 1)]
    assert [letter.error for letter in house.dead()] == [TIMEOUT, TIMEOUT]


def test_the_relay_goes_on_while_pruning_waits_for_a_slow_handler(house: House, bus_clock: Any) -> None:
    house.handler()
    house.say(*many())
    house.settle()
    bus_clock.advance(hours=25)
    lease = Lease("dispatcher")
    assert lease.acquire()

    with closing(psycopg.connect(**same())) as handler:
        handler.execute("SELECT 1 FROM eventbus_progress FOR UPDATE")
        with threads(lambda: Pruning(KEEP, fence=lease.check).go()):
            until(waiting, "pruning waits for the handler")
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = 500")
                lease.check()
            handler.rollback()

    assert kept() == [5]


def idle_until_ended() -> None:
    """Stand still in the transaction for as long as the database bears it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [(pid,)] = cursor.fetchall()
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 1")
    with closing(psycopg.connect(**same())) as other:
        other.autocommit = True
        until(
            lambda: not other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall(),
            "the session ended",
        )


def same() -> dict[str, Any]:
    """What a connection to the same database is asked for with."""
    asked = connection.get_connection_params()
    return {name: asked[name] for name in ("dbname", "user", "password", "host", "port", "options") if name in asked}
