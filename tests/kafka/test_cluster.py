"""A real broker starts, keeps what it acknowledged, and dies as tests want it to."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka import Cluster, KafkaMissing
from tests.kafka.cluster import known_brokers
from tests.kafka.jars import class_archive
from tests.kafka.plugin import brokers_or_skip, do_without
from tests.kafka.records import WAIT_SECONDS, append, make_topic, read

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_appended_is_read(kafka: str) -> None:
    topic = make_topic(kafka)

    append(kafka, topic, b"one", b"two")

    assert read(kafka, topic, 2) == [b"one", b"two"]


def test_a_misspelt_topic_is_refused_and_not_made(fresh_kafka: Cluster) -> None:
    with pytest.raises(KafkaException) as refused:
        append(fresh_kafka.bootstrap_servers, "oders", b"lost")

    assert refused.value.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)
    assert "oders" not in topics(fresh_kafka)


def test_a_killed_broker_comes_back_with_what_it_kept(fresh_kafka: Cluster) -> None:
    servers = fresh_kafka.bootstrap_servers
    topic = make_topic(servers)
    append(servers, topic, b"before")
    identity = cluster_id(fresh_kafka)

    fresh_kafka.brokers[0].kill()
    assert not fresh_kafka.running
    fresh_kafka.brokers[0].start()
    append(servers, topic, b"after")

    assert read(servers, topic, 2) == [b"before", b"after"]
    assert cluster_id(fresh_kafka) == identity


def test_a_broker_that_lost_its_disk_is_empty_under_the_old_name(fresh_kafka: Cluster) -> None:
    make_topic(fresh_kafka.bootstrap_servers)
    identity = cluster_id(fresh_kafka)

    fresh_kafka.brokers[0].wipe()
    fresh_kafka.brokers[0].start()

    assert topics(fresh_kafka) == set()
    assert cluster_id(fresh_kafka) == identity


def test_a_cluster_that_lost_everything_is_another_one_at_the_same_address(fresh_kafka: Cluster) -> None:
    make_topic(fresh_kafka.bootstrap_servers)
    identity, servers = cluster_id(fresh_kafka), fresh_kafka.bootstrap_servers

    fresh_kafka.wipe()
    fresh_kafka.start()

    assert fresh_kafka.bootstrap_servers == servers
    assert topics(fresh_kafka) == set()
    assert cluster_id(fresh_kafka) != identity


def test_a_broker_takes_the_classes_that_an_earlier_one_has_kept(fresh_kafka: Cluster) -> None:
    if not class_archive().exists():
        do_without(KafkaMissing("This Java keeps no archive of the classes that it has loaded"))

    maps = Path(f"/proc/{fresh_kafka.brokers[0].pid}/maps").read_text()

    assert str(class_archive()) in maps


def test_of_three_brokers_one_may_lose_its_disk() -> None:
    with brokers_or_skip(3) as cluster:
        servers = cluster.bootstrap_servers
        topic = make_topic(servers)
        assert replicas(cluster, topic) == {1, 2, 3}
        append(servers, topic, b"while there are three")

        lost = cluster.brokers[0]
        lost.wipe()
        append(servers, topic, b"while there are two")
        lost.start()
        cluster.brokers[1].kill()
        append(servers, topic, b"by the one that came back")

        assert read(servers, topic, 3) == [
            b"while there are three",
            b"while there are two",
            b"by the one that came back",
        ]


def test_a_test_run_that_is_killed_leaves_no_broker_behind(tmp_path: Path, kafka_installed: None) -> None:
    script = "from tests.kafka import *\nwith temporary_broker() as servers: print(servers, flush=True); input()"
    command, environment = [sys.executable, "-c", script], {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        address = run.stdout.readline().strip()
        answered = known_brokers(address)
        run.kill()

    deadline = time.monotonic() + WAIT_SECONDS
    while (known_brokers(address) or list(tmp_path.iterdir())) and time.monotonic() < deadline:
        pass
    assert (answered, known_brokers(address), list(tmp_path.iterdir())) == ({1}, set(), [])


def topics(cluster: Cluster) -> set[str]:
    return set(AdminClient({"bootstrap.servers": cluster.bootstrap_servers}).list_topics(timeout=30).topics)


def replicas(cluster: Cluster, topic: str) -> set[int]:
    found = AdminClient({"bootstrap.servers": cluster.bootstrap_servers}).list_topics(topic, timeout=30)
    return set(found.topics[topic].partitions[0].replicas)


def cluster_id(cluster: Cluster) -> str:
    found = AdminClient({"bootstrap.servers": cluster.bootstrap_servers}).list_topics(timeout=30).cluster_id
    assert found
    return found
