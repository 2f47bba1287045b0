"""Ask Kafka's brokers for their topics and partitions, all within one time limit."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs export less than it does
    AdminClient,
    ConfigResource,
    OffsetSpec,
)

from eventbus.backends.log_description import (
    BrokerDescription,
    LogDescription,
    PartitionDescription,
    TopicDescription,
)
from eventbus.errors import LogUnavailable

LEAST_SECONDS = 0.05  # left for a question when the first answers have taken all of the time


def describe(admin: AdminClient, names: Mapping[str, str], configs: Collection[str], seconds: float) -> LogDescription:
    """Return the brokers and the existing topics. `names`: topics by their names on the brokers.

    `configs`: the settings of topics to return. Raises LogUnavailable if no broker answers within `seconds`.
    """
    end = time.monotonic() + seconds

    def left() -> float:
        return max(LEAST_SECONDS, end - time.monotonic())

    try:
        cluster = admin.list_topics(timeout=left())
    except KafkaException as error:
        raise LogUnavailable(
            f"No broker has answered within {seconds:.0f} s ({error}): are the brokers running, and is "
            "KAFKA_BOOTSTRAP_SERVERS right?"
        ) from error
    there = {name: cluster.topics[name].partitions for name in names if name in cluster.topics}
    offsets = _offsets(admin, there, left)
    settings = _configs(admin, there, configs, left)
    found = {
        names[name]: TopicDescription(
            configs=settings.get(name),
            partitions=[_partition(one, *(of.get((name, one.id)) for of in offsets)) for one in partitions.values()],
        )
        for name, partitions in there.items()
    }
    return LogDescription(_brokers(cluster, there.values()), found)


def _offsets(
    admin: AdminClient, there: Mapping[str, Mapping[int, Any]], left: Callable[[], float]
) -> tuple[dict[tuple[str, int], int], dict[tuple[str, int], int]]:
    """Return the first offsets and the ends of the partitions, as far as their leaders answer."""
    partitions = [TopicPartition(name, number) for name, found in there.items() for number in found]
    specs = (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]
    asked = [
        admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=left()) for spec in specs if partitions
    ]
    begins, ends = ([_answers(one, left) for one in asked]) or ({}, {})
    return tuple(  # type: ignore[return-value]  # of two
        {(one.topic, one.partition): answer.offset for one, answer in of.items()} for of in (begins, ends)
    )


def _configs(
    admin: AdminClient, names: Collection[str], configs: Collection[str], left: Callable[[], float]
) -> dict[str, dict[str, str]]:
    """Return the settings of the topics that this site's user may read."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    told = admin.describe_configs(resources, request_timeout=left()) if resources else {}
    return {
        resource.name: {config: entries[config].value for config in configs if config in entries}
        for resource, entries in _answers(told, left).items()
    }


def _answers(asked: Mapping[Any, Any], left: Callable[[], float]) -> dict[Any, Any]:
    """Return the answers that come in time and are no errors."""
    found = {}
    for question, answer in asked.items():
        try:
            found[question] = answer.result(left())
        except (KafkaException, TimeoutError):
            continue  # the page shows a question mark there
    return found


def _partition(one: Any, begin: int | None, end: int | None) -> PartitionDescription:
    return PartitionDescription(
        partition=one.id,
        begin=begin,
        end=end,
        leader=one.leader if one.leader >= 0 else None,
        replicas=tuple(one.replicas),
        in_sync=tuple(one.isrs),
    )


def _brokers(cluster: Any, topics: Iterable[Mapping[int, Any]]) -> list[BrokerDescription]:
    partitions = [one for topic in topics for one in topic.values()]
    leads, holds = Counter(one.leader for one in partitions), Counter(id for one in partitions for id in one.replicas)
    return [
        BrokerDescription(
            number, f"{one.host}:{one.port}", number == cluster.controller_id, leads[number], holds[number]
        )
        for number, one in sorted(cluster.brokers.items())
    ]
