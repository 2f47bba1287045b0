"""Whoever reads a real Kafka reads on, whatever becomes of the client."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NoReturn

import pytest
from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException

from eventbus import watches
from eventbus.backends.kafka import consuming
from eventbus.errors import LogAway
from tests.eventbus.house import Noted, until
from tests.eventbus.house_on_kafka import HouseOnKafka, open_house_on_kafka


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    with open_house_on_kafka(kafka) as house:
        yield house


class FailedForGood(Client):
    """A client that is of no use any more."""

    def poll(self, *_arguments: Any) -> NoReturn:
        raise KafkaException(KafkaError(KafkaError._FATAL, "fatal"))


def refuse(*_arguments: Any, **_named: Any) -> NoReturn:
    raise KafkaException(KafkaError(KafkaError._CRIT_SYS_RESOURCE, "too many open files"))


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[Callable[..., Client]]:
    """What makes the clients that are made next; then they are good."""
    monkeypatch.setattr(consuming, "REOPEN_SECONDS", 0.01)
    next_ones: list[Callable[..., Client]] = []

    def make(*arguments: Any, **named: Any) -> Client:
        return (next_ones.pop(0) if next_ones else Client)(*arguments, **named)

    monkeypatch.setattr("eventbus.backends.kafka.Client", make)
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
        except LogAway as error:
            reasons.append(str(error))
        return sum("too many open files" in reason for reason in reasons) == 2

    until(complains, "it says why")
    reader.close()

    assert not reader._thread.is_alive()


def test_a_watch_that_is_not_told_where_the_log_ends_leaves_no_reader_behind(
    house: HouseOnKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: Any) -> NoReturn:
        raise LogAway("the brokers do not answer")

    monkeypatch.setattr(house.backend, "end", away)
    before = set(threading.enumerate())

    with pytest.raises(LogAway):
        watches(Noted, call=print)

    assert [thread.name for thread in set(threading.enumerate()) - before] == []
