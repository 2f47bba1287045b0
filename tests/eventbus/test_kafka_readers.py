"""Whoever reads a real Kafka reads on, whatever becomes of the client."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, ClassVar, NoReturn

import pytest
from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as Place

from eventbus import watches
from eventbus.backends.base import TopicPartition
from eventbus.backends.kafka.reading import consumer
from eventbus.errors import LogUnavailable
from eventbus.models import OutboxRow
from tests.eventbus.bus_app import Noted
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS, HouseOnKafka, open_house_on_kafka
from tests.waiting import until


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    with open_house_on_kafka(kafka) as house:
        yield house


class FailedForGood(Client):
    """A client that is of no use any more."""

    def poll(self, *_arguments: Any) -> NoReturn:
        raise KafkaException(KafkaError(KafkaError._FATAL, "fatal"))


class BeginsAnew(Client):
    """A client that reads on from before where it was, once it is told from where."""

    places: ClassVar[list[Place]] = []

    def poll(self, *arguments: Any) -> Any:
        while self.places:
            self.seek(self.places.pop())
        return super().poll(*arguments)


def refuse(*_arguments: Any, **_named: Any) -> NoReturn:
    raise KafkaException(KafkaError(KafkaError._CRIT_SYS_RESOURCE, "too many open files"))


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[Callable[..., Client]]:
    """What makes the clients that are made next; then they are good."""
    monkeypatch.setattr(consumer, "REOPEN_SECONDS", 0.01)
    next_ones: list[Callable[..., Client]] = []

    def make(*arguments: Any, **named: Any) -> Client:
        return (next_ones.pop(0) if next_ones else Client)(*arguments, **named)

    monkeypatch.setattr("eventbus.backends.kafka.backend.Client", make)
    return next_ones


def test_a_group_goes_on_once_a_client_can_be_made_in_place_of_the_one_that_failed(
    house: HouseOnKafka, clients: list[Callable[..., Client]]
) -> None:
    house.handler()
    house.say(("vase", 1))
    house.relay()
    clients += [FailedForGood, refuse, refuse]

    with house.working():
        until(lambda: house.seen() == [("vase", 1)], "it is handled")

    assert clients == []


def test_a_group_gets_each_record_once_when_its_client_begins_anew_before_it(
    house: HouseOnKafka, clients: list[Callable[..., Client]]
) -> None:
    """As clients do now and then, such as after a broker came back. What nobody handles would be counted twice."""
    house.say(("vase", 1), ("vase", 2), ("vase", 3))
    house.relay()
    place = TopicPartition(*OutboxRow.objects.values_list("topic", "partition")[0])
    clients.append(BeginsAnew)
    with closing(house.backend.consumer([Noted.topic], "house-a")) as reader:
        until(lambda: place in reader.assignment(), "it is given the partition")
        for one in reader.assignment():
            reader.seek(one, 0)
        reader.catch_up(WAIT_SECONDS)

        BeginsAnew.places.append(Place(house.prefix + place.topic, place.partition, 1))
        until(lambda: not BeginsAnew.places, "it begins anew")
        house.say(("vase", 4))
        house.relay()
        reader.catch_up(WAIT_SECONDS)

        assert [record.offset for record in reader.fetch(100)] == [0, 1, 2, 3]


def test_a_watch_goes_on_where_it_was_once_a_client_can_be_made(
    house: HouseOnKafka, clients: list[Callable[..., Client]]
) -> None:
    heard: list[Noted] = []
    house.say(("vase", 1))
    house.relay()
    clients += [FailedForGood, refuse]
    with closing(watches(Noted, call=heard.extend)):
        house.say(("vase", 2))
        house.relay()

        until(lambda: heard, "what was told since")

    assert [event.number for event in heard] == [2]


def test_a_reader_that_can_have_no_client_says_so_until_it_is_closed(
    house: HouseOnKafka, clients: list[Callable[..., Client]]
) -> None:
    clients += [FailedForGood, *[refuse] * 1_000]
    reader: Any = house.backend.consumer([Noted.topic], "house-a")
    reasons: list[str] = []

    def complains() -> bool:
        try:
            reader.fetch(1)
        except LogUnavailable as error:
            reasons.append(str(error))
        return sum("too many open files" in reason for reason in reasons) == 2

    until(complains, "it says why")
    reader.close()

    assert not reader._thread.is_alive()


def test_a_watch_that_is_not_told_where_the_log_ends_leaves_no_reader_behind(
    house: HouseOnKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: Any) -> NoReturn:
        raise LogUnavailable("the brokers do not answer")

    monkeypatch.setattr(house.backend, "end", away)
    before = set(threading.enumerate())

    with pytest.raises(LogUnavailable):
        watches(Noted, call=print)

    assert [thread.name for thread in set(threading.enumerate()) - before] == []
