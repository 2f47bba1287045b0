"""Ask Kafka's brokers for their settings, and for those of topics."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs export less than it does
    AdminClient,
    ConfigResource,
    OffsetSpec,
)

from eventbus.backends.broker_settings import BrokerSettings, TopicSettings
from eventbus.errors import LogUnavailable

ASK_SECONDS = 3.0  # for each of the questions: an operator waits for the doctor, and a page for its section


def settings_of_brokers(admin: AdminClient, topics: Mapping[str, str]) -> BrokerSettings:
    """Return the settings of a broker and of topics. `topics`: their names on the brokers. Raises LogUnavailable."""
    try:
        brokers = admin.list_topics(timeout=ASK_SECONDS).brokers
        described = _described(admin, topics)
        return BrokerSettings(
            brokers=len(brokers),
            configs=_of_broker(admin, str(min(brokers))),
            topics=dict.fromkeys(topics) | _of_topics(admin, topics, described),
            newest_at=_newest(admin, topics, described),
        )
    except (KafkaException, TimeoutError, ValueError) as error:
        why = str(error) or f"no broker has answered within {ASK_SECONDS:.0f} s"
        raise LogUnavailable(f"Kafka does not give its settings: {why}") from error


def _of_broker(admin: AdminClient, number: str) -> dict[str, str]:
    """Return the settings of a broker; nothing if this site's user may not read them."""
    broker = ConfigResource(ConfigResource.Type.BROKER, number)
    [answer] = admin.describe_configs([broker], request_timeout=ASK_SECONDS).values()
    try:
        return _texts(answer.result(ASK_SECONDS))
    except KafkaException as error:
        if error.args[0].code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            return {}
        raise


def _described(admin: AdminClient, topics: Mapping[str, str]) -> dict[str, Any]:
    """Return the description of each topic that exists."""
    found = {}
    answers = admin.describe_topics(TopicCollection(list(topics.values())), request_timeout=ASK_SECONDS)
    for topic, name in topics.items():
        try:
            found[topic] = answers[name].result(ASK_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
    return found


def _of_topics(admin: AdminClient, topics: Mapping[str, str], described: Mapping[str, Any]) -> dict[str, TopicSettings]:
    resources = {topic: ConfigResource(ConfigResource.Type.TOPIC, topics[topic]) for topic in described}
    told = admin.describe_configs(list(resources.values()), request_timeout=ASK_SECONDS) if resources else {}
    return {
        topic: TopicSettings(
            partitions=len(one.partitions),
            replication=min(len(partition.replicas) for partition in one.partitions),
            configs=_texts(told[resources[topic]].result(ASK_SECONDS)),
        )
        for topic, one in described.items()
    }


def _texts(entries: Mapping[str, Any]) -> dict[str, str]:
    return {name: entry.value for name, entry in entries.items() if entry.value is not None}


def _newest(admin: AdminClient, topics: Mapping[str, str], described: Mapping[str, Any]) -> datetime | None:
    """Return the latest time of a record in these topics; None if they are empty."""
    latest = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
    partitions = [
        TopicPartition(topics[topic], partition.id) for topic, one in described.items() for partition in one.partitions
    ]
    asked = dict.fromkeys(partitions, latest)
    answers = admin.list_offsets(asked, request_timeout=ASK_SECONDS).values() if asked else []
    milliseconds = max((answer.result(ASK_SECONDS).timestamp for answer in answers), default=-1)
    return datetime.fromtimestamp(milliseconds / 1_000, UTC) if milliseconds > 0 else None
