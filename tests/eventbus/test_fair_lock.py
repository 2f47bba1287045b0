"""Writers of one process queue at SQLite's door, first come, first served."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, OperationalError, connection, connections, transaction

from eventbus.database.leases import Lease
from eventbus.database.sqlite3.base import FairLock, queue_of
from eventbus.errors import QueueTimeout
from eventbus.models import LeaseRow
from tests.waiting import until


def in_a_thread(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_who_waits_longest_is_next() -> None:
    lock, served = FairLock(), []
    lock.acquire(1)
    threads = []
    for number in range(5):
        arrived = len(lock._waiting)

        def wait(number: int = number) -> None:
            lock.acquire(20)
            served.append(number)
            lock.release()

        threads.append(in_a_thread(wait))
        until(lambda: len(lock._waiting) > arrived, "one more in the queue")  # noqa: B023  (used at once)

    lock.release()
    for thread in threads:
        thread.join()

    assert served == [0, 1, 2, 3, 4]


def test_who_gives_up_leaves_the_queue_to_the_others() -> None:
    lock = FairLock()
    lock.acquire(1)

    with pytest.raises(QueueTimeout):
        lock.acquire(0.01)
    lock.release()

    lock.acquire(1)  # it is free again


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite's writers queue")
@pytest.mark.django_db(transaction=True)
def test_a_connection_closed_within_a_transaction_gives_its_turn_back() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        connection.close()
        raise RuntimeError

    connection.settings_dict["OPTIONS"]["timeout"], kept = 0.5, connection.settings_dict["OPTIONS"]["timeout"]
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.settings_dict["OPTIONS"]["timeout"] = kept


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite's writers queue")
@pytest.mark.django_db(transaction=True)
def test_an_owners_beat_waits_its_turn_among_the_writers() -> None:
    lease = Lease("post")
    assert lease.acquire()
    queue = queue_of(str(connection.settings_dict["NAME"])).here

    def beat() -> None:
        try:
            lease.beat()
        finally:
            connections.close_all()

    with transaction.atomic():
        beating = in_a_thread(beat)
        until(lambda: len(queue._waiting) == 1, "the beat in the queue")
        assert LeaseRow.objects.get(name="post").beat == 1
    beating.join()

    assert LeaseRow.objects.get(name="post").beat == 2


def create_many() -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO auth_group (name) VALUES (%s)", [["ada"], ["ben"]])


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite's writers queue")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("write", "names"),
    [
        (lambda: Group.objects.create(name="ada"), ["ada", "eve"]),  # its id is RETURNED
        (lambda: Group.objects.filter(name="eve").update(name="ada"), ["ada"]),
        (lambda: Group.objects.all()._raw_delete("default"), []),
        (create_many, ["ada", "ben", "eve"]),
    ],
    ids=["insert", "update", "delete", "many"],
)
def test_a_write_outside_a_transaction_waits_its_turn_too(write: Callable[[], Any], names: list[str]) -> None:
    Group.objects.create(name="eve")
    queue = queue_of(str(connection.settings_dict["NAME"])).here

    def write_alone() -> None:
        try:
            write()
        finally:
            connections.close_all()

    with transaction.atomic():
        writing = in_a_thread(write_alone)
        until(lambda: len(queue._waiting) == 1, "the write in the queue")
    writing.join()

    assert sorted(Group.objects.values_list("name", flat=True)) == names
    assert not queue._held  # it has given its turn back


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite's writers queue")
@pytest.mark.django_db(transaction=True)
def test_who_has_the_turn_does_not_wait_for_itself_when_sqlite_has_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.5)

    with suppress(OperationalError), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")  # as SQLite does by itself when the disk is full
        Group.objects.create(name="eve")

    assert Group.objects.get().name == "eve"
    assert not queue_of(str(connection.settings_dict["NAME"])).here._held


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite's writers queue")
@pytest.mark.django_db(transaction=True)
def test_a_write_that_fails_alone_gives_its_turn_back_and_reading_needs_none() -> None:
    LeaseRow.objects.create(name="post")
    with pytest.raises(IntegrityError):
        LeaseRow.objects.create(name="post")
    queue = queue_of(str(connection.settings_dict["NAME"])).here

    queue.acquire(1)
    try:
        assert LeaseRow.objects.count() == 1
    finally:
        queue.release()
