"""The backend over a real Apache Kafka keeps the whole contract, on the database that the settings name."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from confluent_kafka import TopicPartition as Place
from django.db import transaction
from django.db.models import Sum

from eventbus import backends, failpoints, publish
from eventbus.backends.base import TopicPartition
from eventbus.backends.kafka import ANSWER_SECONDS, KafkaBackend
from eventbus.models import Progress
from tests.eventbus.backend_contract import BackendContract
from tests.eventbus.busy import many, places, prune_a_day_later
from tests.eventbus.house import House, Unknown
from tests.eventbus.house_on_kafka import BackendAtHand, HouseOnKafka, open_house_on_kafka


class ForgetfulKafka(BackendAtHand):
    """Nobody can move a broker's clock: here retention ends at once for what every group has passed, but the newest."""

    retains = False

    def shown_from(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        places = list(partitions)
        if not self.retains:
            self._let_go(places)
        return super().shown_from(places)

    def _let_go(self, places: Iterable[TopicPartition]) -> None:
        passed: dict[TopicPartition, list[int]] = {}
        for row in Progress.objects.all():
            passed.setdefault(TopicPartition(row.topic, row.partition), []).append(row.position)
        asked = [
            Place(self._named(place.topic), place.partition, min(min(passed[place]), max(0, self.end(place) - 1)))
            for place in places
            if place in passed
        ]
        for answer in self._admin_client().delete_records(asked).values():
            answer.result(ANSWER_SECONDS)


class TestKafkaBackend(BackendContract):
    @pytest.fixture
    def house(self, transactional_db: None, kafka: str) -> Iterator[House]:
        with open_house_on_kafka(kafka, ForgetfulKafka) as house:
            yield house

    def test_what_kafka_can_still_show_stays_and_is_not_handled_again(
        self, house: HouseOnKafka, bus_clock: Any
    ) -> None:
        house.backend.retains = True
        house.handler()
        house.say(*many())
        house.settle()

        assert prune_a_day_later(bus_clock).events == 0

        house.rewind()
        house.settle()
        assert house.seen() == many()
        house.backend.retains = False
        assert prune_a_day_later(bus_clock).events == 4

    def test_it_is_the_one_that_runs(self, house: House) -> None:
        assert isinstance(backends.current(), KafkaBackend)

    def test_what_kafka_holds_twice_and_nobody_handles_was_ignored_once(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Unknown(name="vase"))

        with failpoints.armed("append.acknowledged=break"), pytest.raises(failpoints.BrokeHere):
            house.relay()  # Kafka has it, and no row says so
        house.settle()

        counted = Progress.objects.filter(group="house-a").aggregate(ignored=Sum("ignored"))
        assert counted == {"ignored": 2}
        assert places() == {"ignored": 1}
