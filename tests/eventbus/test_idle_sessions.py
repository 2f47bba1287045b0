"""A process that stands still with a lock of PostgreSQL's in its hand holds nobody up for long."""

from contextlib import closing

import psycopg
import pytest
from django.db import connection

from tests.eventbus.house import House, until

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has nobody who could end a session")


def test_who_idles_with_a_lock_is_ended_and_the_event_is_handled_at_its_only_attempt(house: House) -> None:
    house.handler(attempts=1)
    house.say(("vase", 1))
    house.relay()
    asked = connection.get_connection_params()
    same = {name: asked[name] for name in ("dbname", "user", "password", "host", "port", "options") if name in asked}

    with closing(psycopg.connect(**same)) as stopped:
        stopped.execute("SELECT 1 FROM eventbus_progress FOR UPDATE")
        with house.working():
            until(lambda: house.seen() == [("vase", 1)], "the lock let go of, and the event handled")

        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            stopped.execute("SELECT 1")
    assert house.dead() == []
