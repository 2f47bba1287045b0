"""Who read a log of Kafka that was lost reads the one that was made in its place."""

import json
from contextlib import closing, suppress
from typing import Any

import pytest
from django.db.models import F
from msgspec import structs

from eventbus import registry
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.backends.kafka.reading.partition_buffer import BUFFER_RECORDS_MAX
from eventbus.consuming.worker import Worker
from eventbus.errors import LogUnavailable
from eventbus.failures import circuit_breaker
from eventbus.models import InboxRow, OutboxRow, Progress
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS
from tests.waiting import until

TOPIC = Noted.topic


@pytest.mark.cluster
def test_what_a_reader_holds_of_the_lost_log_is_not_taken_for_the_new_ones(
    fresh_log: KafkaBackend, house: House
) -> None:
    house.say(("vase", 1), ("vase", 2))
    house.relay()
    [place] = [place for place, end in fresh_log.ends(fresh_log.partitions([TOPIC])).items() if end]
    with closing(fresh_log.consumer([TOPIC])) as reader:
        reader.catch_up(WAIT_SECONDS)
        buffer = reader._assigned.buffers[place]
        old = structs.replace(buffer.records[0], payload=b"what lay there before")
        buffer.records[0] = old

        reader.unseek()
        reader.seek(place, 0)
        reader.catch_up(WAIT_SECONDS)

        assert [json.loads(record.payload)["number"] for record in reader.fetch(10)] == [1, 2]


def test_a_partition_that_is_filled_again_is_read_although_others_have_more_to_say(
    replaced: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.handler("house-a", batch=1)
    house.say(("vase", 1), ("chair", 0))
    Relay(replaced).step()
    with closing(Worker(registry.groups["house-a"], replaced)) as worker:
        until(lambda: [worker.step(), len(house.seen())][1] == 2, "both handled", seconds=WAIT_SECONDS)
        mine = Progress.objects.filter(group="house-a", partition=OutboxRow.objects.get(key="vase").partition)
        mine.update(epoch=F("epoch") + 1, offset=0)  # as the relay does that fills it again
        before = mine.get().epoch
        house.say(*(("chair", number) for number in range(1, 101)))
        Relay(replaced).step()
        monkeypatch.setattr("eventbus.consuming.assignment.BACK_SECONDS", 0.0)

        until(lambda: [worker.step(), mine.get().epoch][1] > before, "it is taken over", seconds=WAIT_SECONDS)

        assert len(house.seen(name="chair")) < 50, "and not when all the rest is done"


def test_partitions_that_were_given_to_nobody_while_the_topic_was_away_are_read_once_it_is_back(
    kafka: str, replaced: KafkaBackend, house: House
) -> None:
    """The group shares out its partitions at a moment when the brokers do not know the topic."""
    deaf = {  # so that the sharing out is first to hear that it is away
        "topic.metadata.refresh.interval.ms": 8_000,
        "heartbeat.interval.ms": 100,
    }
    unread: list[Any] = [None] * (BUFFER_RECORDS_MAX + 1)  # so that it asks for no more either
    name = replaced.topics.name(TOPIC)
    house.handler("house-a")
    house.say(("vase", 1))
    Relay(replaced).step()
    with closing(KafkaBackend(servers=kafka, prefix=replaced._prefix, clients=deaf)) as backend:
        worker = Worker(registry.groups["house-a"], backend)
        until(lambda: worker.step() and house.seen(), "the first is handled", seconds=WAIT_SECONDS)
        reader: Any = worker._assignment.consumer
        with closing(replaced.consumer([TOPIC], "house-a")) as other:
            until(lambda: [other.fetch(1), len(reader.assignment())][1] == 2, "a half each", seconds=WAIT_SECONDS)
            for buffer in reader._assigned.buffers.values():
                buffer.records.extend(unread)
            until(lambda: all(buffer.paused for buffer in reader._assigned.buffers.values()), "what comes has to wait")
            before = reader.generation
            replaced._admin_client().delete_topics([name])[name].result(WAIT_SECONDS)
        until(lambda: reader.generation > before, "it was all shared out: nothing", seconds=WAIT_SECONDS)
        for buffer in reader._assigned.buffers.values():
            buffer.records.clear()
        replaced.provision([TOPIC])
        names = [f"key{number}" for number in range(20)]
        house.say(*((name, 1) for name in names))
        relay = Relay(replaced)

        def all_seen() -> bool:
            for work in (relay.step, worker.step):
                with suppress(LogUnavailable):
                    work()
            return sorted(house.seen()) == sorted([("vase", 1), *((name, 1) for name in names)])

        until(all_seen, "all is handled", seconds=WAIT_SECONDS)
        worker.leave()


@pytest.mark.parametrize("braked", [False, True], ids=["flows", "braked"])
def test_a_worker_that_waits_at_the_end_sees_that_it_has_to_read_from_elsewhere(
    replaced: KafkaBackend, house: House, braked: bool
) -> None:
    house.handler()
    house.say(("vase", 1))
    house.relay()
    worker = house.worker()
    until(lambda: house.step(worker) and house.seen() == [("vase", 1)], "the first is handled")
    if braked:  # it closes by a probe, if there is something to probe
        circuit_breaker.trip("house-a", "most of what it saw had failed")

    InboxRow.objects.all().delete()
    Progress.objects.update(offset=0, epoch=F("epoch") + 1)  # as a refill leaves it; nothing new comes

    until(lambda: [house.step(worker), len(house.seen())][1] == 2, "it reads from there")
    worker.leave()
