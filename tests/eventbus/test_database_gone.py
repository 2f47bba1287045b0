"""A SQLite whose file cannot be read or written: no attempt is counted, nothing is lost."""

import pytest
from django.db import OperationalError

from eventbus.failures.effects import CRASHES_MAX
from tests.eventbus.bus_app import House, Mended
from tests.eventbus.database_obstacles import said_by_sqlite


@pytest.mark.parametrize(
    "word",
    ["SQLITE_IOERR", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_CORRUPT", "SQLITE_NOTADB"],
)
def test_a_sqlite_that_cannot_read_or_write_its_file_costs_no_attempt(house: House, word: str) -> None:
    away = Mended("vase", error=said_by_sqlite(word))
    house.handler(call=away, attempts=1)
    house.say(("vase", 1))
    house.relay()
    worker = house.worker()

    for _ in range(CRASHES_MAX + 2):  # more often than an event may crash
        with pytest.raises(OperationalError):
            house.step(worker)
        worker.start_over()  # as its loop does, before it waits for the world
    away.names.clear()
    house.step(worker)

    assert (house.seen(), house.parked(), house.dead()) == ([("vase", 1)], [], [])
