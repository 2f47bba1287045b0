"""The shop's bus over a real Apache Kafka for many short days: one backend, its topics and readers, for all of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

import pytest

from eventbus import backends, registry, testing
from eventbus.backends.base import Consumer, TopicPartition
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.events import Record
from eventbus.models import Progress
from eventbus.progress import group_starts
from eventbus.repairs import restore_repair
from tests.journeys.machine.environment import GROUPS, PARTITIONS


class StayingReader(Consumer):
    """Does not leave its group when it is closed: who comes next is given it, and says from where to read on."""

    def __init__(self, reader: Consumer) -> None:
        self._reader = reader

    def assignment(self) -> list[TopicPartition]:
        return self._reader.assignment()

    @property
    def generation(self) -> int:
        return self._reader.generation

    def unsought(self) -> list[TopicPartition]:
        return self._reader.unsought()

    def unseek(self) -> None:
        self._reader.unseek()

    def withhold(self, partition: TopicPartition) -> None:
        self._reader.withhold(partition)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._reader.seek(partition, offset)

    def fetch(self, records_max: int) -> list[Record]:
        return self._reader.fetch(records_max)

    def catch_up(self, seconds: float) -> None:
        self._reader.catch_up(seconds)

    def commit(self, partition: TopicPartition, offset: int) -> None:
        self._reader.commit(partition, offset)

    def close(self) -> None:
        self._reader.unseek()


class StayingBackend(KafkaBackend):
    """Keeps its clients from day to day, and asks but once about what nobody else changes. `kind` is its readers'."""

    def __init__(self, servers: str, kind: Callable[[Consumer], Consumer] = StayingReader) -> None:
        super().__init__(servers=servers, prefix=f"{uuid4().hex[:8]}.", partitions=PARTITIONS)
        self._kind = kind
        self._staying: dict[str, Consumer] = {}
        self._logs: dict[str, str] = {}
        self._begins: dict[TopicPartition, int] = {}

    def consumer(self, topics: Iterable[str], group: str | None = None) -> Consumer:
        assert group is not None, "nobody watches here"
        if group not in self._staying:
            self._staying[group] = self._kind(super().consumer(topics, group))
        return self._staying[group]

    def generations(self, topics: Iterable[str]) -> dict[str, str]:
        new = set(topics) - self._logs.keys()
        self._logs |= super().generations(new) if new else {}
        return self._logs

    def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        new = [partition for partition in partitions if partition not in self._begins]
        self._begins |= super().ends(new) if new else {}
        return {one: self._given.get(one.topic, {}).get(one.partition, self._begins[one]) for one in partitions}

    def reset(self) -> None:
        """What it remembers stays true."""

    def close(self) -> None:
        super().close()
        super().reset()


@contextmanager
def bus_on_kafka(servers: str, kind: Callable[[Consumer], Consumer] = StayingReader) -> Iterator[None]:
    """The bus of this process while it lasts."""
    backend = StayingBackend(servers, kind)
    backend.provision({topic for name in GROUPS for topic in registry.groups[name].topics})
    before = backends.current()
    backends.use(backend)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(restore_repair, "LEASE_SECONDS", 0.0)  # no other relay is told to end first: there is none
            yield
    finally:
        testing.forget()
        backend.close()
        backends.use(before)


def begin_where_the_log_ends() -> None:
    """The shop's groups; where they were, was said of another log."""
    Progress.objects.all().delete()
    group_starts.ensure(backends.current(), [registry.groups[name] for name in GROUPS])


def pass_over_what_was_undone() -> None:
    """What the log holds was told on other days. In memory they took it with them."""
    backend = backends.current()
    if not backend.in_process:
        for row in Progress.objects.all():
            Progress.objects.filter(id=row.pk).update(offset=backend.end(TopicPartition(row.topic, row.partition)))
