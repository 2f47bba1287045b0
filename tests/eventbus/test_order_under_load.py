"""Many write at once, with transactions that take their time: each key is still heard in the order of its commits."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction

from eventbus import publish, watches
from eventbus.processes.dispatcher import Dispatcher
from tests.eventbus.bus_app import House, Noted
from tests.waiting import until

pytestmark = pytest.mark.postgresql(only=True)  # SQLite has one writer at a time: more of them only queue
KEYS = [f"key{number}" for number in range(100)]
WRITERS = 64
ROUNDS = 12  # transactions of each writer
KEYS_AT_ONCE = (1, 1, 2, 3)  # drawn from, for a transaction
LINGER_SECONDS = 0.005  # at most, between publishing and committing: others could overtake here
END_SECONDS = 60  # for all of it, on a busy machine

Turns = defaultdict[str, dict[int, int]]  # by key: whose turn it was, by turn


@pytest.fixture
def turns(house: House) -> Iterator[None]:
    """A counter by key, for writers to note the order in which they committed."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE house_turns (name TEXT PRIMARY KEY, turn INTEGER)")
        cursor.executemany("INSERT INTO house_turns VALUES (%s, 0)", [[key] for key in KEYS])
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE house_turns")


@contextmanager
def dispatching() -> Iterator[None]:
    dispatcher = Dispatcher.start_in_process()
    try:
        until(dispatcher.active.is_set, "a dispatcher at work")
        yield
    finally:
        dispatcher.close()


def write(seed: str, numbers: Iterator[int], start: threading.Barrier, committed: Turns) -> None:
    """Publish a number for some keys, linger, note each key's turn, commit; again and again."""
    chance = random.Random(seed)
    start.wait()
    for number in numbers:
        keys = sorted(chance.sample(KEYS, chance.choice(KEYS_AT_ONCE)))
        with transaction.atomic():
            publish(*(Noted(name=key, number=number) for key in keys))
            time.sleep(chance.uniform(0, LINGER_SECONDS))
            mine = {key: take_turn(key) for key in keys}
        for key, turn in mine.items():
            committed[key][turn] = number


def take_turn(key: str) -> int:
    """Whoever comes second waits for the first one's commit: so turns are commits, in their order."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE house_turns SET turn = turn + 1 WHERE name = %s RETURNING turn", [key])
        return cursor.fetchone()[0]


def all_write(seed: int) -> dict[str, list[int]]:
    """Each key's numbers in the order of their commits."""
    start, committed, errors = threading.Barrier(WRITERS), Turns(dict), []

    def run(writer: int) -> None:
        try:
            write(f"{seed}-{writer}", iter(range(writer * ROUNDS, (writer + 1) * ROUNDS)), start, committed)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(END_SECONDS)
    assert errors == []
    numbers = {number for found in committed.values() for number in found.values()}
    assert numbers == set(range(WRITERS * ROUNDS)), "not all have written all in time"
    return {key: [number for _, number in sorted(found.items())] for key, found in committed.items()}


def test_no_key_is_heard_out_of_order_while_many_write(house: House, turns: None) -> None:
    house.handler()
    heard: defaultdict[str, list[int]] = defaultdict(list)

    def note(events: list[Noted]) -> None:
        for event in events:
            heard[event.name].append(event.number)

    with dispatching():
        watch = watches(Noted, call=note)
        try:
            committed = all_write(1)
            count = sum(map(len, committed.values()))
            until(lambda: len(house.seen()) >= count, "all of it handled", seconds=END_SECONDS)
            until(lambda: sum(map(len, list(heard.values()))) >= count, "all of it heard", seconds=END_SECONDS)
        finally:
            watch.close()

    assert {key: house.seen(name=key) for key in committed} == committed
    assert heard == committed
