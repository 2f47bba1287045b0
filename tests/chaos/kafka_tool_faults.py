"""What people do to the log with Kafka's own tools."""

import time
from collections.abc import Callable

import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.chaos.faults import Fault, Faults, chosen
from tests.chaos.processes import WORKERS
from tests.chaos.servers import PARTITIONS

ASK_SECONDS = 10.0
LAG_SECONDS = 4.0  # of what is published: a hundred events
RESUME_SECONDS = 60.0  # for an operator who tries until it works
GROUPS = ("writers", "answerers")  # who read the calls


def add_partitions(faults: Faults, draw: float) -> bool:
    """One more for the calls, while groups lag as they do: no key may move to it."""
    topic = f"{faults.site.prefix}calls"
    with faults.kafka:
        admin = AdminClient({"bootstrap.servers": faults.site.broker.bootstrap_servers})
        try:
            before = len(admin.list_topics(topic, timeout=ASK_SECONDS).topics[topic].partitions)
            admin.create_partitions([NewPartitions(topic, before + 1)])[topic].result(ASK_SECONDS)
            after = len(admin.list_topics(topic, timeout=ASK_SECONDS).topics[topic].partitions)
        except KafkaException:
            return False
        return after > before


def cut_log(faults: Faults, draw: float) -> bool:
    """Retention passes a group that is paused: the log begins behind the place where it stands."""
    group = chosen(GROUPS, draw)
    with faults.kafka, faults.postgres, faults.workers:
        if not _tried(lambda: faults.site.manage("eventbus", "pause", group)):
            return False
        time.sleep(LAG_SECONDS)  # the fault itself
        begins = _delete_all(faults)
        again = faults.kill(*WORKERS)  # else their clients hold what they fetched ahead
        stands = dict(
            faults.site.rows(
                "SELECT partition, log_offset FROM eventbus_progress WHERE \"group\" = %s AND topic = 'calls'", group
            )
        )
        deadline = time.monotonic() + RESUME_SECONDS
        while not _tried(lambda: faults.site.manage("eventbus", "resume", group)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{group} could not be resumed")
        return again and any(begin > stands.get(partition, begin) for partition, begin in begins.items())


def _delete_all(faults: Faults) -> dict[int, int]:
    """Where the calls' partitions begin now; none when Kafka does not answer."""
    client = Consumer({"bootstrap.servers": faults.site.broker.bootstrap_servers, "group.id": "tools"})
    places = [TopicPartition(f"{faults.site.prefix}calls", number) for number in range(PARTITIONS)]
    try:
        for place in places:
            place.offset = client.get_watermark_offsets(place, ASK_SECONDS)[1]
        admin = AdminClient({"bootstrap.servers": faults.site.broker.bootstrap_servers})
        done = admin.delete_records(places, request_timeout=ASK_SECONDS)
        begins = {place.partition: future.result().low_watermark for place, future in done.items()}
    except KafkaException:
        return {}
    finally:
        client.close()
    return begins


def _tried(act: Callable[[], object]) -> bool:
    try:
        act()
    except (RuntimeError, psycopg.Error):
        return False
    return True


KINDS: dict[str, Fault] = {"partitions added": add_partitions, "log cut behind a group": cut_log}
