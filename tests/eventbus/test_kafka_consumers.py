"""Workers over a real Kafka come, go, take their time and change their protocol; no event is lost, twice or late."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Consumer as Client
from django.db import connections

from eventbus import registry
from eventbus.backends.base import Consumer
from eventbus.backends.kafka.configuration import configured
from eventbus.consuming.worker import Worker
from eventbus.errors import LogUnavailable
from tests import waiting
from tests.eventbus.bus_app import Noted
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS, HouseOnKafka, open_house_on_kafka
from tests.kafka.groups import members

PARTITIONS = 4
KEYS = [f"key {number}" for number in range(8)]
GROUP = "house-a"
# A client may not wait for less than its session lasts. On a loaded machine four seconds were too short for a session.
IMPATIENT = {"max.poll.interval.ms": 8_000, "session.timeout.ms": 8_000}
# The handler takes so many times longer than IMPATIENT allows between two polls. After once, a worker that did not poll
# has handled both events before it notices that it lost its partitions.
TIMES_LONGER = 2
ROUNDS_MORE = 20  # of events that flow, once partitions have moved
PAUSE_SECONDS = 0.01  # between two rounds of them: a load that lasts, not a flood
MOVED_SECONDS = 2  # four heartbeats: what was given away is the other's by then
until = partial(waiting.until, seconds=WAIT_SECONDS)
PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    with open_house_on_kafka(kafka, partitions=PARTITIONS) as house:
        yield house


class Telling:
    """One after the other to every key, and in the end all of them seen once and in order."""

    def __init__(self, house: HouseOnKafka) -> None:
        self._house, self.told = house, 0

    def tell(self) -> None:
        """An event more for every key, on its way."""
        self.told += 1
        self._house.say(*((key, self.told) for key in KEYS))
        self._house.relay()

    def round(self) -> None:
        """The same, and handled by somebody."""
        self.tell()
        self.until_handled(f"round {self.told} is handled")

    def until_handled(self, what: str) -> None:
        until(lambda: len(self._house.seen()) >= self.told * len(KEYS), what)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """While it lasts events flow, whatever else happens; then all of them are handled."""
        enough = threading.Event()

        def flow() -> None:
            try:
                while not enough.wait(PAUSE_SECONDS):
                    self.tell()
            finally:
                connections.close_all()

        thread = threading.Thread(target=flow)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join()
        self.until_handled("all that flowed is handled")

    def until_more(self) -> None:
        """So many rounds flow from now on."""
        rounds = self.told + ROUNDS_MORE
        until(lambda: self.told >= rounds, f"{ROUNDS_MORE} more rounds")

    def assert_kept(self) -> None:
        for key in KEYS:
            assert self._house.seen(name=key) == list(range(1, self.told + 1))


@contextmanager
def another_worker(house: HouseOnKafka, **clients: Any) -> Iterator[Worker]:
    """A worker as another process has it; in the end it leaves as on SIGTERM."""
    stop = threading.Event()
    backend = house.another_backend(clients=clients)
    worker = Worker(registry.groups[GROUP], backend, stop)
    with house.working(worker=worker, stop=stop):
        yield worker


def owned(worker: Worker) -> int:
    """How many partitions it has."""
    return len(worker.partitions())


def shared(*workers: Worker) -> Callable[[], bool]:
    """Whether each has some, and together they have all."""
    return lambda: all(map(owned, workers)) and sum(map(owned, workers)) == PARTITIONS


def has_all(consumer: Consumer) -> Callable[[], bool]:
    return lambda: len(consumer.assignment()) == PARTITIONS


class Unpolled:
    """A consumer of a group of its own that nobody polls once it has its partitions."""

    def __init__(self, house: HouseOnKafka, clients: dict[str, Any]) -> None:
        self._servers, self._group = house.servers, f"{house.prefix}unpolled"
        self._client = Client(configured("consumer", house.servers, clients) | {"group.id": self._group})
        self._client.subscribe([house.prefix + Noted.topic])
        until(self._is_given_some, "it has partitions")

    def _is_given_some(self) -> bool:
        self._client.poll(0)
        return bool(self._client.assignment())

    def is_thrown_out(self) -> bool:
        return not members(self._servers, self._group)

    def close(self) -> None:
        self._client.close()


def test_a_handler_may_take_longer_than_kafka_waits_for_a_poll(house: HouseOnKafka) -> None:
    calls: list[str] = []
    begun, enough = threading.Event(), threading.Event()

    def take_long(event: Noted, *, idempotency_key: str) -> None:
        calls.append(event.name)
        if event.name == "slow":
            begun.set()
            assert enough.wait(WAIT_SECONDS)

    # An effect, as whatever takes so long must be: the database cuts a transaction that is idle for ten seconds.
    house.effect(call=take_long, record=house.recording(GROUP), on_unknown_outcome="retry")
    with another_worker(house, **IMPATIENT) as worker, another_worker(house, **IMPATIENT) as other:
        until(shared(worker, other), "both have partitions")
        generations = [worker._assignment.consumer.generation, other._assignment.consumer.generation]

        house.say(("slow", 1), ("quick", 1))
        house.relay()
        assert begun.wait(WAIT_SECONDS)
        for _ in range(TIMES_LONGER):
            with closing(Unpolled(house, IMPATIENT)) as unpolled:
                until(unpolled.is_thrown_out, "whoever does not poll loses its partitions")
        enough.set()
        until(lambda: len(house.seen()) == 2, "all handled")

        assert [worker._assignment.consumer.generation, other._assignment.consumer.generation] == generations
    assert sorted(calls) == ["quick", "slow"]


class Hand:
    """A handler with an effect that takes until it may end; whoever dies in it is not to begin it again."""

    def __init__(self, house: HouseOnKafka) -> None:
        self.calls: list[str] = []
        self.begun, self.may_end = threading.Event(), threading.Event()
        house.effect(call=self._send, record=house.recording(GROUP), on_unknown_outcome="never")

    def _send(self, event: Noted, *, idempotency_key: str) -> None:
        self.calls.append(idempotency_key)
        self.begun.set()
        assert self.may_end.wait(WAIT_SECONDS)


@PROTOCOLS
def test_partitions_are_given_away_when_what_is_in_hand_is_done(house: HouseOnKafka, protocol: str) -> None:
    hand, telling, clients = Hand(house), Telling(house), {"group.protocol": protocol}
    with another_worker(house, **clients) as first:
        until(lambda: owned(first) == PARTITIONS, "the first has all")
        telling.tell()
        assert hand.begun.wait(WAIT_SECONDS)
        with another_worker(house, **clients) as second:
            until(lambda: owned(first) < PARTITIONS, "the first is to give some away")
            with pytest.raises(AssertionError, match="not in time: the second"):
                waiting.until(lambda: owned(second), "the second has some", seconds=MOVED_SECONDS)
            hand.may_end.set()
            until(shared(first, second), "both have some")
            telling.until_handled("all is handled")

    assert len(set(hand.calls)) == len(hand.calls) == len(KEYS)
    assert house.dead() == []
    telling.assert_kept()


def test_partitions_are_not_kept_for_longer_than_kafka_waits_for_a_poll(house: HouseOnKafka) -> None:
    hand, telling = Hand(house), Telling(house)
    with another_worker(house, **IMPATIENT) as first:
        until(lambda: owned(first) == PARTITIONS, "the first has all")
        telling.tell()
        assert hand.begun.wait(WAIT_SECONDS)
        with another_worker(house) as second:
            until(shared(first, second), "the second has its part")
            assert owned(first), "and the first was not thrown out"
            hand.may_end.set()


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


@PROTOCOLS
def test_a_named_worker_that_comes_back_moves_no_partition(house: HouseOnKafka, protocol: str) -> None:
    named = [{"group.instance.id": name, "group.protocol": protocol} for name in ("one", "two")]
    first, other = (house.another_backend(clients=clients).consumer([Noted.topic], GROUP) for clients in named)
    until(lambda: len(first.assignment()) == len(other.assignment()) == PARTITIONS / 2, "each has half of them")
    before, kept = set(first.assignment()), (other.generation, other.assignment())

    first.close()
    assert {member.name for member in members(house.servers, house.prefix + GROUP)} == {"one", "two"}, "it is missed"
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
    except LogUnavailable:
        return True
    return False


def test_a_group_moves_from_the_old_protocol_to_the_new_one_while_events_flow(house: HouseOnKafka) -> None:
    house.handler()
    telling = Telling(house)
    with ExitStack() as old, ExitStack() as flow:
        first, second = (old.enter_context(another_worker(house)) for _ in range(2))
        until(shared(first, second), "both of the old protocol have partitions")
        flow.enter_context(telling.flowing())
        with another_worker(house, **{"group.protocol": "consumer"}) as third:
            telling.until_more()  # the brokers may let it wait until the old ones have left
            old.close()
            until(lambda: owned(third) == PARTITIONS, "the new one has all")
            telling.until_more()
            flow.close()

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
