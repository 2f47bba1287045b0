"""A real broker starts, keeps what it acknowledged, and dies as tests want it to."""

from confluent_kafka.admin import AdminClient

from tests.kafka import Cluster
from tests.kafka.records import append, make_topic, read


def test_what_is_appended_is_read(kafka: str) -> None:
    topic = make_topic(kafka)

    append(kafka, topic, b"one", b"two")

    assert read(kafka, topic, 2) == [b"one", b"two"]


def topics(cluster: Cluster) -> set[str]:
    return set(AdminClient({"bootstrap.servers": cluster.bootstrap_servers}).list_topics(timeout=30).topics)


def replicas(cluster: Cluster, topic: str) -> set[int]:
    found = AdminClient({"bootstrap.servers": cluster.bootstrap_servers}).list_topics(topic, timeout=30)
    return set(found.topics[topic].partitions[0].replicas)


def cluster_id(cluster: Cluster) -> str:
    found = AdminClient({"bootstrap.servers": cluster.bootstrap_servers}).list_topics(timeout=30).cluster_id
    assert found
    return found
