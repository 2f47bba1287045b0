"""The small house over a real Apache Kafka that many tests share."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, ClassVar
from uuid import uuid4

from confluent_kafka import Producer

from eventbus import backends, testing
from eventbus.backends.base import Unsent
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.models import OutboxRow
from tests.eventbus.bus_app import House, Noted, Sown, open_house
from tests.waiting import until

SPARE_PRODUCERS = 2  # some cases need a second one at once
FLUSH_SECONDS = 30  # for what a stranger sends
WAIT_SECONDS = 120  # for clients to find a new broker, on a busy machine


class BackendAtHand(KafkaBackend):
    """The backend, with producers that were made before: a new one takes half a second to become idempotent."""

    spare: ClassVar[deque[Producer]] = deque()

    def _make_producer(self) -> Producer:
        self.spare.append(super()._make_producer())
        return self.spare.popleft() if len(self.spare) > SPARE_PRODUCERS else super()._make_producer()


class HouseOnKafka(House):
    """The house with topics of its own; `options` are the backend's."""

    backend: Any  # of the kind that was asked for

    def __init__(self, servers: str, kind: type[KafkaBackend] = BackendAtHand, **options: Any) -> None:
        self._kind = kind
        self.servers, self.prefix = servers, f"{uuid4().hex[:8]}."
        self._options = {"servers": servers, "prefix": self.prefix} | options
        self._more: list[KafkaBackend] = []
        self.backend = self.another_backend()
        self.backend.provision([Noted.topic, Sown.topic])

    def another_backend(self, **options: Any) -> KafkaBackend:
        self._more.append(self._kind(**self._options | options))
        return self._more[-1]

    def append(self, value: bytes | None, *, key: bytes | None = None, headers: Any = None, partition: int = 0) -> None:
        """What somebody else puts into the house's topic."""
        stranger = Producer({"bootstrap.servers": self.servers})
        stranger.produce(self.prefix + Noted.topic, value, key=key, headers=headers, partition=partition)
        assert stranger.flush(FLUSH_SECONDS) == 0, "no acknowledgement"

    def close(self) -> None:
        for backend in self._more:
            backend.close()


@contextmanager
def in_use(backend: KafkaBackend) -> Iterator[KafkaBackend]:
    """It is the bus of this process while it lasts, and closed then."""
    before = backends.current()
    backends.use(backend)
    try:
        yield backend
    finally:
        testing.forget()
        backend.close()
        backends.use(before)


@contextmanager
def open_house_on_kafka(
    servers: str, kind: type[KafkaBackend] = BackendAtHand, **options: Any
) -> Iterator[HouseOnKafka]:
    """It is the bus of this process while it lasts."""
    house = HouseOnKafka(servers, kind, **options)
    with in_use(house.backend), closing(house), open_house(lambda: house):
        yield house


def replace(log: KafkaBackend, topic: str = Noted.topic) -> None:
    """A topic is made anew, with nothing in it."""
    name = log.topics.name(topic)
    log._admin_client().delete_topics([name])[name].result(WAIT_SECONDS)
    until(lambda: not log.topics.counts([topic]), "the topic gone")
    log.provision([topic])


def by_others(log: KafkaBackend, records: int) -> None:
    """Another program puts events of its own into the house's topic, in each of its partitions."""
    stranger = Producer({"bootstrap.servers": log._servers})
    for place in log.partitions([Noted.topic]):
        for _ in range(records):
            stranger.produce(log.topics.name(place.topic), b"{}", key=b"theirs", partition=place.partition)
    assert stranger.flush(FLUSH_SECONDS) == 0, "no acknowledgement"


def append_from_elsewhere(log: KafkaBackend) -> None:
    """What waits in the outbox is appended, and gone from it: as by a site with an outbox of its own."""
    rows = OutboxRow.objects.filter(offset=None).order_by("id")
    log._partitions.learn({one.topic for one in rows})
    sent = log._sender.send(
        [Unsent(one.pk, one.topic, one.type, one.key, bytes(one.payload), one.headers) for one in rows]
    )
    assert not sent.error
    rows.delete()
