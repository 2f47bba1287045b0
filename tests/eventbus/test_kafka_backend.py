"""The backend over a real Apache Kafka keeps the whole contract, on the database that the settings name."""

from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from eventbus import backends, testing
from eventbus.backends.kafka import KafkaBackend
from tests.eventbus.backend_contract import BackendContract
from tests.eventbus.house import House, Noted, Sown, open_house

SPARE_PRODUCERS = 2  # some cases need a second one at once


class BackendAtHand(KafkaBackend):
    """The backend, with producers that were made before: a new one takes half a second to become idempotent."""

    spare: ClassVar[deque[Producer]] = deque()

    def _make_producer(self) -> Producer:
        self.spare.append(super()._make_producer())
        return self.spare.popleft() if len(self.spare) > SPARE_PRODUCERS else super()._make_producer()


class HouseOnKafka(House):
    """The house with its own topics on a broker that many tests share."""

    def __init__(self, servers: str) -> None:
        self._options = {"servers": servers, "prefix": f"{uuid4().hex[:8]}."}
        self._more: list[KafkaBackend] = []
        self.backend = self.another_backend()
        self.backend.provision([Noted.topic, Sown.topic])

    def another_backend(self) -> KafkaBackend:
        self._more.append(BackendAtHand(**self._options))
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

    @pytest.mark.xfail(reason="Kafka keeps what the outbox has let go, for as long as its topics say", strict=True)
    def test_what_went_cannot_come_again_though_the_inbox_has_forgotten_it(self, house: House, bus_clock: Any) -> None:
        super().test_what_went_cannot_come_again_though_the_inbox_has_forgotten_it(house, bus_clock)

    def test_it_is_the_one_that_runs(self, house: House) -> None:
        assert isinstance(backends.current(), KafkaBackend)
