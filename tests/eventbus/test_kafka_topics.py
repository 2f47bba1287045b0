"""An operator makes the topics of a real Apache Kafka what they are declared to be."""

import json
from collections.abc import Collection, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic
from django.db import transaction

from eventbus import publish, watches
from eventbus.backends import topics
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.backends.kafka.reading import partition_discovery
from eventbus.database.leases import Lease
from eventbus.errors import LogUnavailable
from eventbus.models import OutboxRow
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS, in_use
from tests.eventbus.test_commands import run
from tests.free_ports import free_ports
from tests.waiting import until

CLIENTS = {"topic.metadata.refresh.interval.ms": 200}  # else an added partition is missed for half a minute
DAY_MS = "86400000"


@pytest.fixture
def log(kafka: str, house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaBackend]:
    """What the process uses; no topic of it is made, and no other events than the house's are known."""
    monkeypatch.setattr("eventbus.operations.topic_setup.declared_events", lambda: [Noted])
    monkeypatch.setattr(topics, "declared", {})
    with in_use(KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.", partitions=2, clients=CLIENTS)) as log:
        yield log


def told() -> dict[str, Any]:
    """How the house's topic is."""
    [topic] = [one for one in json.loads(run("eventbus", "topics", "--json")[1]) if one["topic"] == "house"]
    return topic


def test_what_is_missing_is_named_and_made(log: KafkaBackend) -> None:
    code, _, complaint = run("eventbus", "topics")
    assert (code, complaint.splitlines()[0]) == (
        1,
        "house: topic is missing, declared is 2 partitions, 1 copies.",
    )

    code, said, complaint = run("eventbus", "topics", "--apply")

    assert (code, complaint) == (0, "")
    assert "done: house: topic" in said
    assert told()["found"] == {
        "partitions": 2,
        "replication": 1,
        "configs": {
            "cleanup.policy": "delete",
            "max.message.bytes": "1048588",
            "min.insync.replicas": "1",
            "retention.bytes": "-1",
            "retention.ms": str(7 * int(DAY_MS)),
            "unclean.leader.election.enable": "false",
        },
    }
    assert run("eventbus", "topics")[0] == 0


def test_a_retention_that_somebody_changed_is_shown_and_set_back(log: KafkaBackend) -> None:
    run("eventbus", "topics", "--apply")
    topics.declare_topic("house", retention=timedelta(days=1))

    code, _, complaint = run("eventbus", "topics")
    assert code == 1
    assert f"retention.ms is {7 * int(DAY_MS)}, declared is {DAY_MS}" in complaint
    assert told()["found"]["configs"]["retention.ms"] == str(7 * int(DAY_MS))

    code, said, _ = run("eventbus", "topics", "--apply")

    assert code == 0
    assert said.index(f"declared is {DAY_MS}") < said.index("done: house: retention.ms")
    assert told()["found"]["configs"]["retention.ms"] == DAY_MS


@pytest.mark.parametrize(
    ("setting", "wrong", "right"),
    [
        ("retention.bytes", "1000000", "-1"),
        ("unclean.leader.election.enable", "true", "false"),
        ("max.message.bytes", "100000", "1048588"),
        ("min.insync.replicas", "2", "1"),
        ("cleanup.policy", "compact", "delete"),
    ],
)
def test_what_somebody_set_with_kafkas_tools_is_shown_and_set_back(
    log: KafkaBackend, setting: str, wrong: str, right: str
) -> None:
    """Each of these loses events, or refuses them."""
    run("eventbus", "topics", "--apply")
    change(log, setting, wrong)

    code, _, complaint = run("eventbus", "topics")
    assert code == 1
    assert f"{setting} is {wrong}, declared is {right}" in complaint

    assert run("eventbus", "topics", "--apply")[0] == 0
    assert told()["found"]["configs"][setting] == right


def change(log: KafkaBackend, setting: str, value: str) -> None:
    """As an operator does with `kafka-configs`."""
    entry = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ConfigResource.Type.TOPIC, log.topics.name("house"), incremental_configs=[entry])
    for done in log._admin_client().incremental_alter_configs([topic]).values():
        done.result(WAIT_SECONDS)


def test_partitions_are_added_only_when_told_so_and_nothing_is_under_way(log: KafkaBackend, house: House) -> None:
    run("eventbus", "topics", "--apply")
    house.handler()
    house.say(("vase", 1))
    Relay(log).step()
    topics.declare_topic("house", partitions=3)

    code, said, complaint = run("eventbus", "topics", "--apply")
    assert (code, told()["found"]["partitions"]) == (1, 2)
    assert "WARNING" in said and "stop the relay" in complaint
    code, said, complaint = run("eventbus", "topics", "--apply", "--add-partitions")
    assert (code, told()["found"]["partitions"]) == (1, 2)
    assert "before house-a have handled" in complaint
    house.settle()
    lease = Lease("dispatcher")
    assert lease.acquire()
    with pytest.MonkeyPatch.context() as living:
        living.setattr("eventbus.operations.status.is_dispatched", lambda: True)
        assert "while a relay runs" in run("eventbus", "topics", "--apply", "--add-partitions")[2]
    lease.release()

    code, said, _ = run("eventbus", "topics", "--apply", "--add-partitions")

    assert (code, told()["found"]["partitions"]) == (0, 3)
    assert "WARNING" in said


@pytest.mark.parametrize(("partitions", "code"), [(2, 0), (5, 1)])
def test_what_somebody_else_made_in_that_moment_is_done_only_if_it_is_as_declared(
    log: KafkaBackend, kafka: str, monkeypatch: pytest.MonkeyPatch, partitions: int, code: int
) -> None:
    name, configs, make = log.topics.name("house"), log.topics.wanted("house").configs, log.topics.make
    client = AdminClient({"bootstrap.servers": kafka})

    def make_after_somebody_else(names: Collection[str]) -> list[str]:
        theirs = NewTopic(name, num_partitions=partitions, replication_factor=1, config=configs)
        client.create_topics([theirs])[name].result()
        return make(names)

    monkeypatch.setattr(log.topics, "make", make_after_somebody_else)
    ended, said, complaint = run("eventbus", "topics", "--apply")

    assert ended == code
    assert ("done: house: topic" in said) is (code == 0)
    assert ("run this again" in complaint) is (code == 1)


def test_what_is_told_in_an_added_partition_is_handled_by_those_who_work_already(
    log: KafkaBackend, house: House
) -> None:
    run("eventbus", "topics", "--apply")
    house.handler()
    house.say(("vase", 1))
    house.settle()
    topics.declare_topic("house", partitions=12)
    assert run("eventbus", "topics", "--apply", "--add-partitions")[0] == 0
    names = [f"key{number}" for number in range(20)]
    log._sender.close()  # a relay that starts again

    house.say(*((name, 1) for name in names))
    Relay(log).step()

    def all_seen() -> bool:
        house.settle()
        return sorted(house.seen()) == sorted([("vase", 1), *((name, 1) for name in names)])

    until(all_seen, "all is handled, in the new partitions too")


def test_a_watch_hears_what_is_told_in_an_added_partition_and_is_told_to_load_again(
    log: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_discovery, "LOOK_AGAIN_SECONDS", 0.5)
    log.provision(["house"])
    told: list[Any] = []

    def heard() -> set[Any]:
        return {(event.name, event.number) for event in told if event != "reset"}

    with closing(watches(Noted, call=told.extend, reset=lambda: told.append("reset"))):
        house.say(("vase", 1))
        Relay(log).step()
        until(lambda: told, "what is told before")
        topics.declare_topic("house", partitions=12)
        assert run("eventbus", "topics", "--apply", "--add-partitions")[0] == 0
        names = [f"key{number}" for number in range(20)]
        log._sender.close()  # a relay that starts again
        house.say(*((name, 1) for name in names))
        Relay(log).step()
        until(lambda: len(heard()) == 21, "all is heard, in the new partitions too")
        added = set(OutboxRow.objects.filter(partition__gte=2).values_list("key", flat=True))

        house.say(("vase", 2), *((name, 2) for name in names))
        Relay(log).step()
        until(lambda: len(heard()) == 42, "it goes on in all of them")

    assert told.count("reset") == 1
    assert len(told) == 43  # each once
    assert {event.name for event in told[: told.index("reset")]}.isdisjoint(added)


def test_how_many_copies_a_topic_needs_is_declared_beside_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "declared", {})
    topics.declare_topic("money", replication=5, min_insync_replicas=3)
    topics.declare_topic("mails", replication=3)

    money, mails, house = (topics.wanted(name, partitions=2, replication=1) for name in ("money", "mails", "house"))

    assert (money.replication, money.configs["min.insync.replicas"]) == (5, "3")
    assert (mails.replication, mails.configs["min.insync.replicas"]) == (3, "2")
    assert (house.replication, house.configs["min.insync.replicas"]) == (1, "1")


def test_fewer_partitions_are_refused(log: KafkaBackend) -> None:
    run("eventbus", "topics", "--apply")
    topics.declare_topic("house", partitions=1)

    code, _, complaint = run("eventbus", "topics", "--apply", "--add-partitions")

    assert (code, told()["found"]["partitions"]) == (1, 2)
    assert "cannot take partitions away" in complaint


def test_a_topic_with_one_copy_is_not_told_to_wait_for_two(kafka: str, log: KafkaBackend) -> None:
    name = log.topics.name("house")
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(name, num_partitions=2)])[name].result(10)
    until(lambda: log.topics.counts(["house"]), "the topic known to the broker, which is after it was made")
    log.topics._replication = 3

    code, _, complaint = run("eventbus", "topics", "--apply")

    assert code == 1
    assert "replication is 1, declared is 3" in complaint
    assert "min.insync.replicas is 1, declared is 2. Not before" in complaint
    assert told()["found"]["configs"]["min.insync.replicas"] == "1"


def test_a_relay_without_its_topic_says_which_and_what_makes_it(log: KafkaBackend, house: House) -> None:
    with pytest.raises(LogUnavailable, match=r"no topic \w+\.house: make it with manage.py eventbus topics --apply"):
        house.handler()
    with transaction.atomic():
        publish(Noted(name="vase", number=1))

    with pytest.raises(LogUnavailable, match=r"no topic \w+\.house: make it with manage.py eventbus topics --apply"):
        Relay(log).step()


def test_brokers_that_say_nothing_are_looked_for_where_the_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventbus.backends.kafka.brokers.topics.ANSWER_SECONDS", 0.1)
    with (
        closing(KafkaBackend(servers=f"127.0.0.1:{free_ports(1)[0]}")) as nowhere,
        pytest.raises(LogUnavailable, match=r"house is like: no broker has answered.*KAFKA_BOOTSTRAP_SERVERS"),
    ):
        nowhere.generations(["house"])


def test_a_topic_is_made_when_the_broker_that_is_asked_shows_it(
    log: KafkaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([{"house": None}, {"house": None}])  # it has not heard of it yet
    found = log.topics.found
    monkeypatch.setattr(log.topics, "found", lambda topics: next(answers, None) or found(topics))

    assert log.topics.make(["house"]) == ["house"]
    assert log.topics.make(["house"]) == [], "it was there"

    assert next(answers, "asked until it was there") == "asked until it was there"
    assert log.topics.counts(["house"])
