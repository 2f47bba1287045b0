"""Writers of one process queue at SQLite's door, first come, first served."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, connections, transaction

from eventbus.database.sqlite3.base import FairLock, queue_of
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
