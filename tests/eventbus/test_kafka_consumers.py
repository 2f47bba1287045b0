"""Workers over a real Kafka come, go, take their time and change their protocol; no event is lost, twice or late."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from eventbus import registry
from eventbus.backends.base import Consumer
from eventbus.errors import LogAway
from eventbus.worker import Worker
from tests.eventbus.house import Noted, until
from tests.eventbus.house_on_kafka import HouseOnKafka, open_house_on_kafka

PARTITIONS = 4
KEYS = [f"key {number}" for number in range(8)]
GROUP = "house-a"
IMPATIENT = {"max.poll.interval.ms": 2_000, "session.timeout.ms": 2_000, "heartbeat.interval.ms": 300}
QUICK = {"heartbeat.interval.ms": 300}  # a worker hears that another came so late: by itself after three seconds
LONGER_SECONDS = 3.0  # than what IMPATIENT allows between two polls
PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    with open_house_on_kafka(kafka, partitions=PARTITIONS) as house:
        yield house


class Telling:
    """One after the other to every key, and in the end all of them seen once and in order."""

    def __init__(self, house: HouseOnKafka) -> None:
        self._house, self.told = house, 0

    def round(self) -> None:
        """An event more for every key, on its way and handled by somebody."""
        self.told += 1
        self._house.say(*((key, self.told) for key in KEYS))
        self._house.relay()
        until(lambda: len(self._house.seen()) >= self.told * len(KEYS), f"round {self.told} is handled")

    def assert_kept(self) -> None:
        for key in KEYS:
            assert self._house.seen(name=key) == list(range(1, self.told + 1))


@contextmanager
def another_worker(house: HouseOnKafka, **clients: Any) -> Iterator[Worker]:
    """A worker as another process has it; in the end it leaves as on SIGTERM."""
    stop = threading.Event()
    quick = {} if clients.get("group.protocol") == "consumer" else QUICK
    backend = house.another_backend(clients=quick | clients)
    worker = Worker(registry.groups[GROUP], backend, stop)
    with house.working(worker=worker, stop=stop):
        yield worker


def owned(worker: Worker) -> int:
    """How many partitions it has."""
    return len(worker._consumer.assignment()) if worker._consumer else 0


def shared(*workers: Worker) -> Callable[[], bool]:
    """Whether each has some, and together they have all."""
    return lambda: all(map(owned, workers)) and sum(map(owned, workers)) == PARTITIONS


def has_all(consumer: Consumer) -> Callable[[], bool]:
    return lambda: len(consumer.assignment()) == PARTITIONS


def test_a_handler_may_take_longer_than_kafka_waits_for_a_poll(house: HouseOnKafka) -> None:
    waited: list[str] = []

    def take_long(event: Noted) -> None:
        waited.append(event.name)
        if event.name == "slow":
            threading.Event().wait(LONGER_SECONDS)

    house.handler(call=take_long, batch=1)
    with another_worker(house, **IMPATIENT) as worker, another_worker(house, **IMPATIENT) as other:
        until(shared(worker, other), "both have partitions")
        generations = [worker._consumer.generation, other._consumer.generation]

        house.say(("slow", 1), ("quick", 1))
        house.relay()
        until(lambda: len(house.seen()) == 2, "all handled")

        assert [worker._consumer.generation, other._consumer.generation] == generations
    assert sorted(waited) == ["quick", "slow"]


@PROTOCOLS
def test_workers_that_join_and_leave_lose_nothing(house: HouseOnKafka, protocol: str) -> None:
    house.handler()
    telling = Telling(house)
    with another_worker(house, **{"group.protocol": protocol}) as first:
        telling.round()
        with another_worker(house, **{"group.protocol": protocol}) as second:
            until(shared(first, second), "both have partitions")
            telling.round()
        until(lambda: owned(first) == PARTITIONS, "the first has all again")
        telling.round()

    telling.assert_kept()


def test_events_told_while_partitions_change_hands_are_kept_in_order(house: HouseOnKafka) -> None:
    house.handler()
    telling = Telling(house)
    with ExitStack() as crowd:
        for _ in range(3):
            crowd.enter_context(another_worker(house))
            telling.round()
    with another_worker(house):
        telling.round()

    telling.assert_kept()


@PROTOCOLS
def test_a_named_worker_that_comes_back_moves_no_partition(house: HouseOnKafka, protocol: str) -> None:
    named = [{"group.instance.id": name, "group.protocol": protocol} for name in ("one", "two")]
    first, other = (house.another_backend(clients=clients).consumer([Noted.topic], GROUP) for clients in named)
    until(lambda: len(first.assignment()) == len(other.assignment()) == PARTITIONS / 2, "each has half of them")
    before, kept = set(first.assignment()), (other.generation, other.assignment())

    first.close()
    again = house.another_backend(clients=named[0]).consumer([Noted.topic], GROUP)
    until(lambda: set(again.assignment()) == before, "it has its own again")

    assert (other.generation, other.assignment()) == kept


def test_two_workers_of_one_name_are_told_of_it_and_the_one_that_stays_goes_on(house: HouseOnKafka) -> None:
    clients = {"group.instance.id": "one"}
    first = house.another_backend(clients=clients).consumer([Noted.topic], GROUP)
    until(has_all(first), "the first has all")

    double = house.another_backend(clients=clients).consumer([Noted.topic], GROUP)
    until(lambda: _refuses(first), "the first is told")
    double.close()

    until(has_all(first), "the first has all again")


def _refuses(consumer: Consumer) -> bool:
    try:
        consumer.fetch(1)
    except LogAway:
        return True
    return False


def test_a_group_moves_from_the_old_protocol_to_the_new_one_while_it_works(house: HouseOnKafka) -> None:
    house.handler()
    telling = Telling(house)
    with ExitStack() as old:
        first = old.enter_context(another_worker(house))
        telling.round()
        with another_worker(house, **{"group.protocol": "consumer"}) as second:
            until(shared(first, second), "both protocols share")
            telling.round()
            old.close()
            until(lambda: owned(second) == PARTITIONS, "the new one has all")
            telling.round()

    telling.assert_kept()
