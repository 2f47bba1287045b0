"""Whoever sets Kafka's clients cannot break what the bus promises, and is told why."""

from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from django.core.exceptions import ImproperlyConfigured

from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.backends.kafka.configuration import configured

SERVERS = "127.0.0.1:1"  # nobody is asked


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("acks", 1, "must survive the loss of a broker"),
        ("request.required.acks", "0", "must survive the loss of a broker"),
        ("enable.idempotence", False, "change their order"),
        ("enable.gapless.guarantee", "false", "overtake"),
        ("partitioner", "consistent_random", "another partition"),
        ("enable.auto.commit", "true", "before the database"),
        ("auto.commit.enable", "true", "before the database"),
        ("enable.auto.offset.store", True, "before the database"),
        ("auto.offset.reset", "latest", "left out"),
        ("isolation.level", "read_uncommitted", "undone"),
        ("allow.auto.create.topics", True, "declared beside its events"),
        ("partition.assignment.strategy", "range", "one by one"),
        ("message.timeout.ms", 300_000, "overtaken"),
        ("delivery.timeout.ms", "300000", "overtaken"),
        ("transactional.id", "shop", "sees to that itself"),
        ("group.id", "mine", "sees to that itself"),
    ],
)
def test_what_would_break_a_promise_is_refused_with_the_reason(setting: str, value: Any, reason: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=reason) as refused:
        KafkaBackend(servers=SERVERS, clients={setting: value})

    assert str(value) in str(refused.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"acks=1 .*auto\.offset\.reset=latest"):
        KafkaBackend(servers=SERVERS, clients={"acks": 1, "auto.offset.reset": "latest"})


def test_what_the_newer_group_protocol_does_not_take_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"session\.timeout\.ms=9000 .*the brokers decide"):
        KafkaBackend(servers=SERVERS, clients={"group.protocol": "consumer", "session.timeout.ms": 9000})


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_every_client_takes_its_configuration(protocol: str) -> None:
    chosen = {"group.protocol": protocol, "group.instance.id": "one", "compression.type": "zstd", "acks": "all"}
    quiet = {"log_level": 0}

    Producer(configured("producer", SERVERS, chosen) | quiet)
    Consumer(configured("consumer", SERVERS, chosen) | quiet | {"group.id": "group"}).close()
    AdminClient(configured("admin", SERVERS, chosen) | quiet)


def test_a_choice_that_breaks_nothing_is_kept() -> None:
    assert configured("producer", SERVERS, {"linger.ms": 5})["linger.ms"] == 5
    assert configured("consumer", SERVERS, {"fetch.wait.max.ms": 500})["fetch.wait.max.ms"] == 500


def test_a_worker_that_died_is_missed_as_soon_as_the_least_patient_brokers_allow() -> None:
    assert configured("consumer", SERVERS, {})["session.timeout.ms"] == 6_000


def test_a_worker_hears_soon_that_partitions_move() -> None:
    """Two heartbeats, until all have let go and until all have taken: python -m tests.rolling measures the rest."""
    assert 2 * configured("consumer", SERVERS, {})["heartbeat.interval.ms"] <= 1_500
    assert "heartbeat.interval.ms" not in configured("consumer", SERVERS, {"group.protocol": "consumer"})
