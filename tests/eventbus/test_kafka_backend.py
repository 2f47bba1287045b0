"""The backend over a real Apache Kafka keeps the whole contract, on the database that the settings name."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Place

from eventbus import backends, testing
from eventbus.backends.base import TopicPartition
from eventbus.backends.kafka import ANSWER_SECONDS, KafkaBackend
from eventbus.models import Progress
from tests.eventbus.backend_contract import BackendContract
from tests.eventbus.busy import many, prune_a_day_later
from tests.eventbus.house import House, Noted, Sown, open_house

SPARE_PRODUCERS = 2  # some cases need a second one at once


class BackendAtHand(KafkaBackend):
    """The backend, with producers that were made before: a new one takes half a second to become idempotent."""

    spare: ClassVar[deque[Producer]] = deque()

    def _make_producer(self) -> Producer:
        self.spare.append(super()._make_producer())
        return self.spare.popleft() if len(self.spare) > SPARE_PRODUCERS else super()._make_producer()


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


class HouseOnKafka(House):
    """The house with its own topics on a broker that many tests share."""

    def __init__(self, servers: str) -> None:
        self._options = {"servers": servers, "prefix": f"{uuid4().hex[:8]}."}
        self._more: list[ForgetfulKafka] = []
        self.backend = self.another_backend()
        self.backend.provision([Noted.topic, Sown.topic])

    def another_backend(self) -> ForgetfulKafka:
        self._more.append(ForgetfulKafka(**self._options))
        return self._more[-1]

    def close(self) -> None:
        for backend in self._more:
            backend.close()


class TestKafkaBackend(BackendContract):
    @pytest.fixture
    def house(self, transactional_db: None, kafka: str) -> Iterator[House]:
        before, house = backends.current(), HouseOnKafka(kafka)
        backends.use(house.backend)
        try:
            with open_house(lambda: house):
                yield house
        finally:
            testing.forget()
            house.close()
            backends.use(before)

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
