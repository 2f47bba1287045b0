"""Somebody uses Kafka's own tools on our topics, and no key's events are lost or come out of order."""

import json
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import NewPartitions

from eventbus.audit import delivery_audit
from eventbus.backends import topics
from eventbus.backends.base import partition_of
from eventbus.backends.kafka import other_sites
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.errors import LogUnavailable
from eventbus.models import OutboxRow, TopicLog
from eventbus.operations import status
from eventbus.publishing.relay import Relay
from eventbus.recovery import log_problems
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.bus_app_on_kafka import FLUSH_SECONDS, WAIT_SECONDS, in_use, replace
from tests.eventbus.test_commands import run
from tests.waiting import until

TOPIC = Noted.topic
CLIENTS = {"topic.metadata.refresh.interval.ms": 200}  # else an added partition is missed for seconds
BEFORE, AFTER = 2, 12  # partitions
NAMES = [f"key{number}" for number in range(20)]
MOVING = [name for name in NAMES if partition_of(name, BEFORE) != partition_of(name, AFTER)]


@pytest.fixture
def log(kafka: str, house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaBackend]:
    """What the process uses; no other events than the house's are known."""
    monkeypatch.setattr("eventbus.operations.topic_setup.declared_events", lambda: [Noted])
    monkeypatch.setattr(topics, "declared", {})
    with in_use(KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.", partitions=BEFORE, clients=CLIENTS)) as log:
        log.provision([TOPIC])
        yield log


def add_partitions(log: KafkaBackend, count: int = AFTER) -> None:
    """As `kafka-topics.sh --alter --partitions` does."""
    name = log.topics.name(TOPIC)
    log._admin_client().create_partitions([NewPartitions(name, count)])[name].result(WAIT_SECONDS)
    until(lambda: log.topics.counts([TOPIC])[TOPIC] == count, "the partitions added")


def say_each(house: House, *numbers: int) -> None:
    house.say(*((name, number) for number in numbers for name in NAMES))


def seen_by_name(house: House) -> dict[str, list[int]]:
    return {name: house.seen(name=name) for name in NAMES}


def said_of_partitions() -> list[str]:
    return [one for one in status.problems(status.status(), dispatches=True) if "partitions on the brokers" in one]


def by_somebody_else(log: KafkaBackend, key: str, number: int, partition: int) -> None:
    """Another program, which follows the brokers, puts an event of its own into a partition."""
    stranger = Producer({"bootstrap.servers": log._servers})
    headers = {"ce_specversion": "1.0", "ce_id": str(uuid4()), "ce_source": "/elsewhere", "ce_type": "house.noted.v1"}
    value = json.dumps({"name": key, "number": number}).encode()
    stranger.produce(log.topics.name(TOPIC), value, key=key.encode(), headers=headers, partition=partition)
    assert stranger.flush(FLUSH_SECONDS) == 0, "no acknowledgement"


def test_partitions_added_while_a_group_lags_move_no_key(log: KafkaBackend, house: House) -> None:
    house.handler(batch=1)  # so that partitions take turns
    say_each(house, 0)
    house.settle()
    say_each(house, 1, 2, 3, 4, 5)
    house.relay()

    add_partitions(log)
    log.reset()  # a relay that starts again
    say_each(house, 6, 7, 8, 9, 10)
    house.relay()
    house.restart()
    house.settle()

    assert MOVING, "some keys would lie elsewhere"
    assert seen_by_name(house) == dict.fromkeys(NAMES, list(range(11)))
    assert delivery_audit.problems(delivery_audit.read()) == []
    [said] = said_of_partitions()
    assert said.startswith(f"{TOPIC} has {AFTER} partitions on the brokers, and keys are placed in {BEFORE}")
    assert "manage.py eventbus topics" in said


def test_partitions_added_under_a_running_relay_move_no_key(log: KafkaBackend, house: House) -> None:
    house.handler(batch=1)
    worker = house.worker()
    relay = Relay(log)
    say_each(house, 0)
    relay.step()
    until(lambda: not house.step(worker) and len(house.seen()) == len(NAMES), "the first are handled")
    say_each(house, 1)
    relay.step()

    add_partitions(log)
    until(lambda: len(worker.partitions()) == AFTER, "the brokers have given the group all of them")
    say_each(house, 2)
    relay.step()
    until(lambda: not house.step(worker) and len(house.seen()) == 3 * len(NAMES), "all are handled")
    worker.leave()

    assert seen_by_name(house) == dict.fromkeys(NAMES, [0, 1, 2])
    assert set(OutboxRow.objects.values_list("partition", flat=True)) == set(range(BEFORE))


def test_added_partitions_are_led_in_once_all_is_handled_and_what_others_put_there_waits(
    log: KafkaBackend, house: House
) -> None:
    house.handler()
    name = MOVING[0]
    house.say((name, 1))
    house.relay()
    add_partitions(log)
    by_somebody_else(log, name, 3, partition_of(name, AFTER))
    house.say((name, 2))
    house.relay()

    code, _, complaint = run("eventbus", "topics")
    assert code == 1
    assert f"partitions on the brokers is {AFTER}, declared is {BEFORE}. Somebody added partitions" in complaint
    topics.declare_topic(TOPIC, partitions=AFTER)
    code, _, complaint = run("eventbus", "topics", "--apply")
    assert (code, f"partitions is {BEFORE}, declared is {AFTER}. More partitions move keys" in complaint) == (1, True)
    assert "before house-a have handled" in run("eventbus", "topics", "--apply", "--add-partitions")[2]
    worker = house.worker()
    until(lambda: not house.step(worker) and len(worker.partitions()) == AFTER, "the group has all of them")
    until(lambda: not house.step(worker) and house.seen(name=name) == [1, 2], "what was before is handled")
    assert run("eventbus", "topics", "--apply", "--add-partitions")[0] == 0

    until(lambda: not house.step(worker) and house.seen(name=name) == [1, 2, 3], "what waited")
    house.say((name, 4))
    house.relay()
    until(lambda: not house.step(worker) and house.seen(name=name) == [1, 2, 3, 4], "what came after")
    worker.leave()
    assert TopicLog.objects.get(topic=TOPIC).partitions == AFTER
    assert OutboxRow.objects.order_by("-id")[0].partition == partition_of(name, AFTER)
    assert said_of_partitions() == []
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_topic_made_anew_with_more_partitions_is_filled_again_in_those_that_it_had(
    log: KafkaBackend, house: House
) -> None:
    house.handler()
    say_each(house, 1)
    house.settle()
    house.restart()
    log.topics._partitions = AFTER

    replace(log)
    say_each(house, 2)
    house.settle()

    assert seen_by_name(house) == dict.fromkeys(NAMES, [1, 2])
    assert set(OutboxRow.objects.values_list("partition", flat=True)) == set(range(BEFORE))
    assert delivery_audit.problems(delivery_audit.read()) == []


@pytest.fixture
def other_site(log: KafkaBackend) -> Iterator[KafkaBackend]:
    """Another database's, with the same prefix: such as a copy of ours on which somebody tries a release."""
    with closing(KafkaBackend(servers=log._servers, prefix=log._prefix, partitions=BEFORE)) as other:
        log._sites._client_id = f"{other_sites.PREFIX}ours"  # SQLite in memory does not say which database it is
        other._sites._client_id = f"{other_sites.PREFIX}another"
        yield other


def test_a_second_site_with_our_prefix_takes_no_partition_of_ours_and_says_what_to_do(
    log: KafkaBackend, other_site: KafkaBackend, house: House
) -> None:
    house.handler()
    worker = house.worker()
    say_each(house, 1)
    house.relay()
    until(lambda: not house.step(worker) and len(house.seen()) == len(NAMES), "we are at work")

    for refused in (lambda: other_site.consumer([TOPIC], "house-a"), Relay(other_site).begin):
        with pytest.raises(LogUnavailable, match="Workers of another database read as group house-a.*KAFKA_PREFIX"):
            refused()
    assert log_problems.read(log) == []
    say_each(house, 2)
    house.relay()
    until(lambda: not house.step(worker) and len(house.seen()) == 2 * len(NAMES), "all of ours is handled")
    worker.leave()

    assert seen_by_name(house) == dict.fromkeys(NAMES, [1, 2])


def test_a_site_that_shares_a_group_with_another_is_told_so_and_goes_on_once_that_has_left(
    log: KafkaBackend, other_site: KafkaBackend, house: House
) -> None:
    """Both began at once, and neither saw the other."""
    house.handler()
    theirs = other_site.consumer([TOPIC], "house-a")
    until(theirs.assignment, "the other site reads")
    say_each(house, 1)
    house.relay()

    [said] = log_problems.read(log)
    assert said.startswith("Workers of another database read as group house-a")
    with pytest.raises(LogUnavailable, match="stop the other"):
        house.worker().step()
    theirs.close()
    until(lambda: log_problems.read(log) == [], "it has left")
    house.settle()

    assert seen_by_name(house) == dict.fromkeys(NAMES, [1])


@pytest.mark.parametrize("to", ["the beginning", "the end", "nowhere"])
def test_a_group_that_somebody_moved_goes_on_where_it_was(to: str, log: KafkaBackend, house: House) -> None:
    house.handler()
    say_each(house, 1, 2)
    house.settle()
    house.restart()  # Kafka's tools move no group that is at work
    say_each(house, 3)
    house.relay()
    group, admin = f"{log._prefix}house-a", log._admin_client()
    if to == "nowhere":
        admin.delete_consumer_groups([group])[group].result(WAIT_SECONDS)
    else:
        ends = log.ends(log.partitions([TOPIC]))
        name = log.topics.name(TOPIC)
        places = [Place(name, one.partition, end if to == "the end" else 0) for one, end in ends.items()]
        asked = ConsumerGroupTopicPartitions(group, places)
        admin.alter_consumer_group_offsets([asked])[group].result(WAIT_SECONDS)

    house.settle()

    assert seen_by_name(house) == dict.fromkeys(NAMES, [1, 2, 3])
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_processes_of_one_database_are_one_site(log: KafkaBackend, house: House) -> None:
    house.handler()
    with closing(KafkaBackend(servers=log._servers, prefix=log._prefix, partitions=BEFORE)) as ours:
        reader = ours.consumer([TOPIC], "house-a")
        until(reader.assignment, "one process reads")

        assert log.other_sites(["house-a"]) == []
        log.consumer([TOPIC], "house-a").close()
