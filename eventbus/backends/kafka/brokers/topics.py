"""Read the topics on the brokers, make topics, and change them."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs export less than it does
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

from eventbus.backends import topics
from eventbus.backends.broker_settings import BrokerSettings
from eventbus.backends.kafka.brokers import log_description
from eventbus.backends.kafka.brokers.broker_settings import settings_of_brokers
from eventbus.backends.log_description import LogDescription
from eventbus.backends.topics import TopicSpec
from eventbus.errors import LogUnavailable

T = TypeVar("T")
ANSWER_SECONDS = 10.0  # for a question to the brokers
LOOK_SECONDS = 1.5  # for the relay's question before each batch: with the pause after an error, less than its lease
HINT_SECONDS = 0.5  # for a question whose answer only improves an error's text
LEADERLESS = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART}
AGAIN_SECONDS = 0.05  # between two checks that a change is known


class KafkaTopics:
    """The topics on Kafka brokers; see eventbus.backends.topics.Topics. `named` returns a topic's name there."""

    def __init__(
        self, admin: Callable[[], AdminClient], named: Callable[[str], str], *, partitions: int, replication: int
    ) -> None:
        self._admin, self._named = admin, named
        self._partitions, self._replication = partitions, replication

    def name(self, topic: str) -> str:
        return self._named(topic)

    def missing(self, topic: str) -> str:
        """Return the error text for a missing topic, with the remedy."""
        return f"Kafka has no topic {self._named(topic)}: make it with manage.py eventbus topics --apply"

    def wanted(self, topic: str) -> TopicSpec:
        return topics.wanted(topic, partitions=self._partitions, replication=self._replication)

    def found(self, topics: Collection[str]) -> dict[str, TopicSpec | None]:
        there = self._described(topics)
        resources = {topic: ConfigResource(ConfigResource.Type.TOPIC, self._named(topic)) for topic in there}
        told = self._admin().describe_configs(list(resources.values()), request_timeout=ANSWER_SECONDS) if there else {}
        found: dict[str, TopicSpec | None] = dict.fromkeys(topics)
        for topic, description in there.items():
            entries = _answer(told[resources[topic]], f"what {self._named(topic)} is like")
            configs = {name: entries[name].value for name in self.wanted(topic).configs if name in entries}
            found[topic] = TopicSpec(
                partitions=len(description.partitions),
                replication=min(len(one.replicas) for one in description.partitions),
                configs=configs,
            )
        return found

    def settings(self, topics: Collection[str]) -> BrokerSettings:
        return settings_of_brokers(self._admin(), {topic: self._named(topic) for topic in topics})

    def generations(self, topics: Collection[str]) -> dict[str, str]:
        """Return the id of each existing topic. A topic gets a new id each time it is created.

        Waits only briefly, because the caller must renew its lease. The cluster's id is left out: requesting it has
        been seen to abort the process (librdkafka 2.16).
        """
        return {topic: str(told.topic_id) for topic, told in self._described(topics, LOOK_SECONDS).items()}

    def counts(self, topics: Collection[str], seconds: float = ANSWER_SECONDS) -> dict[str, int]:
        """Return the number of partitions of each existing topic.

        Unlike `found`, it needs no right to read configurations.
        """
        return {topic: len(description.partitions) for topic, description in self._described(topics, seconds).items()}

    def absent(self, topics: Collection[str]) -> list[str]:
        """Return those of these topics that are missing.

        Waits only briefly, because the caller must renew its lease.
        """
        return sorted(set(topics) - set(self._described(topics, HINT_SECONDS)))

    def describe(self, topics: Collection[str], seconds: float) -> LogDescription:
        names = {self._named(topic): topic for topic in topics}
        return log_description.describe(self._admin(), names, set(self.wanted("").configs), seconds)

    def _described(self, topics: Collection[str], seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Return the description of each existing topic."""
        ours = {self._named(topic): topic for topic in topics}
        asked = TopicCollection(list(ours))
        answers = self._admin().describe_topics(asked, request_timeout=seconds) if ours else {}
        there = {}
        for name, answer in answers.items():
            try:
                there[ours[name]] = answer.result(ANSWER_SECONDS)
            except (KafkaException, TimeoutError) as error:
                if _code(error) != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise LogUnavailable(f"Kafka does not say what {name} is like: {said(error)}") from error
        return there

    def make(self, topics: Collection[str]) -> list[str]:
        ours = {self._named(topic): topic for topic in topics}
        asked = [self._new(topic) for topic in topics]
        answers = self._admin().create_topics(asked, request_timeout=ANSWER_SECONDS) if asked else {}
        made = []
        for name, answer in answers.items():
            try:
                answer.result(ANSWER_SECONDS)
                made.append(ours[name])
            except (KafkaException, TimeoutError) as error:
                if _code(error) != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise LogUnavailable(f"Kafka did not make {name}: {said(error)}") from error
        for topic in topics:
            self._await(topic, lambda spec: True)
        return made

    def _new(self, topic: str) -> NewTopic:
        spec = self.wanted(topic)
        return NewTopic(
            self._named(topic),
            num_partitions=spec.partitions,
            replication_factor=spec.replication,
            config=spec.configs,
        )

    def add_partitions(self, topic: str, partitions: int) -> None:
        name = self._named(topic)
        answers = self._admin().create_partitions([NewPartitions(name, partitions)], request_timeout=ANSWER_SECONDS)
        _answer(answers[name], f"{partitions} partitions for {name}")
        self._await(topic, lambda spec: spec.partitions == partitions)

    def configure(self, topic: str, configs: Mapping[str, str]) -> None:
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in configs.items()
        ]
        name = self._named(topic)
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
        answers = self._admin().incremental_alter_configs([resource], request_timeout=ANSWER_SECONDS)
        _answer(answers[resource], f"{dict(configs)} for {name}")
        self._await(topic, lambda spec: configs.items() <= spec.configs.items())

    def _await(self, topic: str, done: Callable[[TopicSpec], bool]) -> None:
        """Wait until the broker that answers knows of the change."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while (spec := self.found([topic])[topic]) is None or not done(spec):
            if time.monotonic() > deadline:
                raise LogUnavailable(f"Kafka took the change of {self._named(topic)}, and does not show it")
            time.sleep(AGAIN_SECONDS)


def insist(ask: Callable[[], T], *, passes: Callable[[Exception], bool]) -> T:
    """Call `ask` again after each error that `passes` by itself, for ANSWER_SECONDS. Raises the last error."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return ask()
        except Exception as error:
            if not passes(error) or time.monotonic() > deadline:
                raise
            time.sleep(AGAIN_SECONDS)


def passes(error: Exception) -> bool:
    """Return True if the brokers call the error retriable, or a partition has no leader for a moment."""
    return isinstance(error, KafkaException) and (error.args[0].retriable() or error.args[0].code() in LEADERLESS)


def _answer(answer: Any, what: str) -> Any:
    try:
        return answer.result(ANSWER_SECONDS)
    except (KafkaException, TimeoutError) as error:
        raise LogUnavailable(f"Kafka has no answer about {what}: {said(error)}") from error


def said(error: Exception) -> str:
    """Return the error's text. A timeout of the client has none, so it gets one here."""
    return (
        str(error) or f"no broker has answered within {ANSWER_SECONDS:.0f} s: does one run at KAFKA_BOOTSTRAP_SERVERS?"
    )


def _code(error: Exception) -> int | None:
    return error.args[0].code() if isinstance(error, KafkaException) else None
