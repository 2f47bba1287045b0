"""What tests ask of a broker by hand, with the client alone."""

import time
from uuid import uuid4

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

WAIT_SECONDS = 60  # a loaded two-core machine that has just lost a broker; a test that waits longer has failed
POLL_SECONDS = 0.5


def make_topic(servers: str, *, partitions: int = 1) -> str:
    """A topic that nobody else has, with as many replicas as the brokers think fit.

    Returns its name once every partition has a leader and all its replicas.
    """
    name = f"test-{uuid4()}"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(name, partitions)])[name].result(WAIT_SECONDS)
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = admin.list_topics(name, timeout=WAIT_SECONDS).topics[name].partitions.values()
        if len(found) == partitions and all(p.isrs and len(p.isrs) == len(p.replicas) and p.leader >= 0 for p in found):
            return name
    raise AssertionError(f"{name} has no leader")


def append(servers: str, topic: str, *values: bytes) -> None:
    """Returns once all replicas that are in sync have them."""
    refused = []
    settings = {"bootstrap.servers": servers, "acks": "all", "log_level": 0}
    # A topic that is not known is not on its way either: `make_topic` has waited for it.
    producer = Producer(settings | {"topic.metadata.propagation.max.ms": 1000})
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: refused.append(error) if error else None)
    assert producer.flush(WAIT_SECONDS) == 0, "no acknowledgement"
    if refused:
        raise KafkaException(refused[0])


def read(servers: str, topic: str, count: int) -> list[bytes]:
    """The first `count` values of a topic, by a consumer group that begins with it."""
    settings = {"bootstrap.servers": servers, "group.id": f"test-{uuid4()}", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings | {"log_level": 0})
    found: list[bytes] = []
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        consumer.subscribe([topic])
        while len(found) < count and time.monotonic() < deadline:
            record = consumer.poll(POLL_SECONDS)
            if record is not None and record.error() is None:
                found.append(record.value() or b"")
    finally:
        consumer.close()
    return found
