"""A group that does not move at other programs' records is named, though no table of this site knows them."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from eventbus import clock
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.models import Progress
from eventbus.operations import status
from eventbus.operations.standstill import STANDS_SECONDS
from tests.eventbus.bus_app import Noted
from tests.eventbus.bus_app_on_kafka import FLUSH_SECONDS, WAIT_SECONDS, HouseOnKafka, by_others, open_house_on_kafka
from tests.waiting import until

pytestmark = pytest.mark.kafka
LONG = 2 * STANDS_SECONDS


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    with open_house_on_kafka(kafka, partitions=1) as house:
        house.handler()
        Progress.objects.exclude(topic=Noted.topic).delete()  # of groups whose topics these brokers do not have
        yield house


def standing() -> list[str]:
    return [one.group for one in status.status().standing]


def test_a_group_whose_workers_are_gone_is_named_for_another_programs_record(house: HouseOnKafka, bus_clock) -> None:
    by_others(house.backend, 1)
    clock.advance(seconds=LONG)

    assert standing() == ["house-a"]

    house.settle()
    assert standing() == []


def test_a_group_that_was_idle_is_not_named_for_a_record_that_came_just_now(house: HouseOnKafka) -> None:
    Progress.objects.update(moved_at=clock.now() - timedelta(seconds=LONG))

    by_others(house.backend, 1)

    assert standing() == []


def test_a_transactions_mark_at_the_logs_end_keeps_nobody_waiting(house: HouseOnKafka, bus_clock) -> None:
    in_a_transaction(house.backend)
    with house.working():
        until(lambda: Progress.objects.get().offset == 1, "the record is passed", seconds=WAIT_SECONDS)
    assert [group.lag for group in status.status().groups] == [1]  # the mark has an offset of its own
    clock.advance(seconds=LONG)

    assert standing() == []
    assert standing() == []  # by what is remembered of the mark

    by_others(house.backend, 1)
    clock.advance(seconds=LONG)
    assert standing() == ["house-a"]


def in_a_transaction(log: KafkaBackend) -> None:
    """Another program publishes as Kafka's streams do."""
    stranger = Producer({"bootstrap.servers": log._servers, "transactional.id": str(uuid4())})
    stranger.init_transactions()
    stranger.begin_transaction()
    stranger.produce(log.topics.name(Noted.topic), b"{}", key=b"theirs")
    stranger.commit_transaction(FLUSH_SECONDS)
