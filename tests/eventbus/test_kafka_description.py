"""An operator sees the brokers and topics of a real Apache Kafka, or soon that none answers."""

import gc
import weakref
from contextlib import closing
from uuid import uuid4

import pytest

from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.errors import LogUnavailable
from tests.eventbus.bus_app import House
from tests.eventbus.bus_app_on_kafka import in_use
from tests.free_ports import free_ports

SECONDS = 30.0  # more than a busy broker needs


def test_brokers_topics_and_partitions_are_described(kafka: str, house: House) -> None:
    with in_use(KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.", partitions=2)) as log:
        log.provision(["house"])
        house.handler("house-a")
        house.say(("vase", 1))
        house.settle()

        found = log.describe(["house", "missing"], SECONDS)

    assert list(found.topics) == ["house"]
    topic = found.topics["house"]
    assert topic.configs is not None and topic.configs["cleanup.policy"] == "delete"
    assert sorted(one.partition for one in topic.partitions) == [0, 1]
    assert sorted((one.begin, one.end) for one in topic.partitions) == [(0, 0), (0, 1)]
    brokers = {one.id for one in found.brokers}
    assert all(one.leader in brokers and one.in_sync and not one.is_short for one in topic.partitions)
    assert sum(one.leads for one in found.brokers) == 2
    assert [one.is_controller for one in found.brokers].count(True) == 1


def test_brokers_that_are_away_are_said_to_be_so_in_time() -> None:
    with (
        closing(KafkaBackend(servers=f"127.0.0.1:{free_ports(1)[0]}")) as nowhere,
        pytest.raises(LogUnavailable, match=r"No broker has answered .*KAFKA_BOOTSTRAP_SERVERS"),
    ):
        nowhere.describe(["house"], 0.1)


def test_a_client_outlives_its_backend_since_a_late_answer_would_end_the_process() -> None:
    with closing(KafkaBackend(servers=f"127.0.0.1:{free_ports(1)[0]}")) as nowhere:
        client = weakref.ref(nowhere._admin_client())

    del nowhere
    gc.collect()

    assert client() is not None
