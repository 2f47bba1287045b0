"""Processes that write to one SQLite database take turns."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from eventbus.database.sqlite3 import interprocess_lock
from eventbus.database.sqlite3.base import Queue
from eventbus.database.sqlite3.interprocess_lock import InterprocessLock
from tests.eventbus.bus_app import House, Noted
from tests.waiting import until

TRANSACTION_SECONDS = 0.02
PASSES = 20


@contextmanager
def busy(database: Path) -> Iterator[list[int]]:
    """Somebody who writes all the time, with a file handle of its own as another process has; counts its turns."""
    turns, stop = [0], threading.Event()

    def write() -> None:
        mine = InterprocessLock(str(database))
        while not stop.is_set():
            mine.acquire()
            stop.wait(TRANSACTION_SECONDS)
            turns[0] += 1
            mine.release()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        until(lambda: turns[0], "a busy writer")
        yield turns
    finally:
        stop.set()
        thread.join()


def test_who_waits_is_next_however_busy_another_is(tmp_path: Path) -> None:
    mine, waited = InterprocessLock(str(tmp_path / "db")), []

    with busy(tmp_path / "db") as turns:
        for _ in range(PASSES):
            before = turns[0]
            mine.acquire()
            waited.append(turns[0] - before)
            mine.release()

    assert max(waited) <= 2  # the one in hand, and one that began in the very moment
    assert sum(waited) <= 1.5 * PASSES


def test_only_one_has_the_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other, passed = (
        InterprocessLock(str(tmp_path / "db")),
        InterprocessLock(str(tmp_path / "db")),
        threading.Event(),
    )
    mine.acquire()

    thread = threading.Thread(target=lambda: (other.acquire(), passed.set()))
    thread.start()
    assert not passed.wait(5 * TRANSACTION_SECONDS)

    mine.release()
    thread.join()
    assert passed.is_set()
    other.release()


def stands_in_line(database: Path) -> bool:
    """Whether some other waits for its turn."""
    looking = InterprocessLock(str(database))
    assert looking._open()
    try:
        return not interprocess_lock._lock(looking._next, time.monotonic())
    finally:
        for file in (looking._next, looking._turn):
            os.close(file)


def writing_once(queue: Queue, wrote: list[Any]) -> threading.Thread:
    """Another process, by a queue of its own: it takes its turn and writes, once."""

    def write() -> None:
        queue.acquire(1)
        wrote.append("another process")
        queue.release()

    thread = threading.Thread(target=write)
    thread.start()
    return thread


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite's writers queue")
def test_a_worker_lets_another_process_write_between_two_batches(house: House) -> None:
    database = Path(connection.settings_dict["NAME"])
    wrote: list[Any] = []
    others: list[threading.Thread] = []

    def handle(event: Noted) -> None:
        if not others:
            others.append(writing_once(Queue(str(database)), wrote))
            until(lambda: wrote or stands_in_line(database), "the other one in line, or through")
        wrote.append(event.number)

    house.handler(call=handle, batch=1)
    house.say(*(("vase", number) for number in range(3)))
    house.settle()
    others[0].join()

    assert wrote == [0, "another process", 1, 2]
