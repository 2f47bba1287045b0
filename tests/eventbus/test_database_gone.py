"""A database that is gone for longer than anybody's patience with one try: no attempt is counted, nothing is lost."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from eventbus.failures.effects import CRASHES_MAX
from tests.eventbus.bus_app import House, Mended
from tests.eventbus.database_obstacles import said_by_sqlite
from tests.eventbus.load_app.processes import WAIT_SECONDS, Crowd, told, until
from tests.postgres import PostgresMissing, stoppable_cluster

pytestmark = pytest.mark.sites

GONE_SECONDS = 21  # longer than SQLite's busy timeout, and than PostgreSQL's limits for idle sessions and locks
BACKLOG_LINES = 300  # so many, each taking so long, that the worker is in the middle of them when the database goes
SLOW = {"CROWD_THINK_SECONDS": "0.01"}

Gone = Callable[[], Any]  # a context manager: inside, the database is gone


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Another program holds a SQLite database, so that nobody else writes; under WAL, who only reads goes on."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as stranger:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:  # at each gap between two transactions: SQLite's own waiting might never get its turn
            try:
                stranger.execute("BEGIN EXCLUSIVE")
                break
            except sqlite3.OperationalError:
                assert time.monotonic() < deadline, "the lock was not to be had"
        yield
        stranger.execute("ROLLBACK")


@pytest.fixture(params=["sqlite", "postgresql"])
def crowd_and_gone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Crowd, Gone]]:
    """A site, and a way to take its database away."""
    if request.param == "sqlite":
        crowd = Crowd(tmp_path, f"sqlite:///{tmp_path / 'site.sqlite3'}", SLOW)
        try:
            yield crowd, lambda: _locked(tmp_path / "site.sqlite3")
        finally:
            crowd.close()
        return
    try:
        with stoppable_cluster() as cluster:

            @contextmanager
            def stopped() -> Iterator[None]:
                cluster.stop()
                yield
                cluster.start()

            crowd = Crowd(tmp_path, cluster.url, SLOW)
            try:
                yield crowd, stopped
            finally:
                crowd.close()
    except PostgresMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))


def test_a_database_gone_for_twenty_seconds_costs_no_attempt_and_no_event(crowd_and_gone: tuple[Crowd, Gone]) -> None:
    crowd, gone = crowd_and_gone
    file = crowd.folder / "told"
    publisher = crowd.start("publisher", "speaker", file)
    until(lambda: file.exists() and len(file.read_text().splitlines()) >= BACKLOG_LINES, "a backlog")
    file.with_suffix(".stop").touch()
    assert publisher.wait(WAIT_SECONDS) == 0, crowd.log()
    everything = told(file)
    count = sum(map(len, everything.values()))
    crowd.dispatcher("only")
    until(lambda: crowd.number("SELECT count(*) FROM crowd_seen") > 0, "the first event handled")

    with gone():
        threading.Event().wait(GONE_SECONDS)
    assert crowd.number("SELECT count(*) FROM crowd_seen") < count, "it was in the middle of them"
    until(lambda: crowd.number("SELECT sum(log_offset) FROM eventbus_progress") == count, "the group at the log's end")

    assert crowd.seen() == everything
    assert crowd.number("SELECT count(*) FROM eventbus_parkedkey") == 0
    assert crowd.number("SELECT count(*) FROM eventbus_deadletter") == 0
    assert crowd.number("SELECT count(*) FROM eventbus_consumergroup WHERE breaker_opened_at IS NOT NULL") == 0


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
