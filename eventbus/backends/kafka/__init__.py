"""The bus over Apache Kafka: as many processes as wanted. The only room that imports confluent_kafka."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs export less than it does
    AdminClient,
    NewTopic,
    OffsetSpec,
)

from eventbus import failpoints
from eventbus.backends import places
from eventbus.backends.base import Backend, Consumer, TopicPartition, Unsent
from eventbus.backends.kafka.configuration import configured, refuse_broken_promises
from eventbus.backends.kafka.consuming import KafkaConsumer
from eventbus.backends.kafka.producing import Sender
from eventbus.bells import Bell
from eventbus.errors import LogAway

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 0.05  # between two questions
ANSWER_SECONDS = 10.0  # for a question to the brokers
TOPICS_KNOWN_SECONDS = 30.0  # how long an answer about partitions is believed: they are added by hand, and seldom
LEADERLESS = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART}
GROUPLESS = "mcommerce-watch"  # the client wants a name; it joins no group and stores nothing under it


failpoints.declare(
    commits={"mark": "rows of events that Kafka has get their places"},
    inside={"mark.fenced": "this relay is still the one"},
    outside={"append.acknowledged": "Kafka has the events, and no row says so"},
)


class KafkaBackend(Backend):
    """See the module.

    `servers` are host:port, comma-separated. `prefix` stands before the names of topics and groups on the brokers.
    `clients` are librdkafka's own settings by name: TLS, SASL, `group.protocol`. `partitions` and `replication` are
    for topics that do not exist yet.
    """

    in_process = False

    def __init__(
        self,
        *,
        servers: str,
        prefix: str = "",
        partitions: int = 4,
        replication: int = 1,
        clients: Mapping[str, Any] | None = None,
    ) -> None:
        self._servers, self._prefix = servers, prefix
        self._partitions_new, self._replication = partitions, replication
        self._clients = dict(clients or {})
        refuse_broken_promises(self._clients)
        self._sender = Sender(lambda: Producer(self._configured("producer"), logger=logger), self._named)
        self._lock = threading.Lock()
        self._arrived = Bell()
        self._admin: AdminClient | None = None
        self._admin_pid = 0
        self._known: dict[str, tuple[float, int]] = {}
        self._readers: list[KafkaConsumer] = []

    # --- sending ------------------------------------------------------------------------------------------------------

    def append(self, rows: Sequence[Unsent], fence: Callable[[], None]) -> None:
        outcome = self._sender.send(rows)
        failpoints.hit("append.acknowledged")
        with failpoints.atomic("mark"):
            fence()
            failpoints.hit("mark.fenced")
            if outcome.sent:
                places.note(outcome.sent)
            for row_id, reason in outcome.refused.items():
                places.refuse(row_id, reason)
        if outcome.error:
            raise LogAway(outcome.error)
        self._arrived.ring()

    # --- what there is ------------------------------------------------------------------------------------------------

    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic in topics for number in range(self._count(topic))]

    def _count(self, topic: str) -> int:
        known = self._known.get(topic)
        if known is None or time.monotonic() - known[0] > TOPICS_KNOWN_SECONDS:
            known = self._known[topic] = (time.monotonic(), self._ask_count(topic))
        return known[1]

    def _ask_count(self, topic: str) -> int:
        try:
            found = self._admin_client().list_topics(self._named(topic), timeout=ANSWER_SECONDS).topics
        except KafkaException as error:
            raise LogAway(f"Kafka at {self._servers} does not answer: {error}") from error
        there = found[self._named(topic)]
        if there.error is not None or not there.partitions:
            raise LogAway(
                f"Kafka has no topic {self._named(topic)}: make it with manage.py eventbus topics --apply"
                f" ({there.error or 'it has no partition yet'})"
            )
        return len(there.partitions)

    def end(self, partition: TopicPartition) -> int:
        return self.ends([partition])[partition]

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the next record of each will lie at least."""
        asked = {Place(self._named(one.topic), one.partition): one for one in partitions}
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return {asked[place]: offset for place, offset in self._ask_ends(asked).items()}
            except (KafkaException, TimeoutError) as error:
                # A partition may be without a leader for a moment: it was just made, or its broker just died.
                if not _passes(error) or time.monotonic() > deadline:
                    raise LogAway(f"Kafka does not say where its log ends: {error}") from error
                time.sleep(AGAIN_SECONDS)

    def _ask_ends(self, asked: Iterable[Place]) -> dict[Place, int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        answers = self._admin_client().list_offsets(dict.fromkeys(asked, latest), request_timeout=ANSWER_SECONDS)
        return {place: answer.result(ANSWER_SECONDS).offset for place, answer in answers.items()}

    def provision(self, topics: Iterable[str]) -> list[str]:
        """Make the topics that are missing; their names on the brokers. Raises LogAway."""
        topics = list(topics)
        wanted = [
            NewTopic(self._named(topic), num_partitions=self._partitions_new, replication_factor=self._replication)
            for topic in topics
        ]
        made = []
        for name, answer in (self._admin_client().create_topics(wanted) if wanted else {}).items():
            try:
                answer.result(ANSWER_SECONDS)
                made.append(name)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise LogAway(f"Kafka did not make {name}: {error}") from error
        self._known.clear()
        self._await(topics)
        return made

    def _await(self, topics: Sequence[str]) -> None:
        """Until the broker that is asked has heard of each, and each has its leader."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                self.ends(self.partitions(topics))
                return
            except LogAway:
                if time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN_SECONDS)

    # --- reading ------------------------------------------------------------------------------------------------------

    def consumer(self, topics: Iterable[str], group: str | None = None) -> Consumer:
        topics = list(topics)
        name = GROUPLESS if group is None else group
        config = self._configured("consumer") | {"group.id": self._named(name)}
        reader = KafkaConsumer(
            lambda: Client(config, logger=logger),
            {topic: self._named(topic) for topic in topics},
            self.partitions(topics) if group is None else None,
            self._arrived,
            self.ends,
        )
        with self._lock:
            self._readers = [*(one for one in self._readers if not one.closed), reader]
        return reader

    def seen(self) -> int:
        return self._arrived.rings

    def wait(self, seen: int, seconds: float) -> None:
        self._arrived.wait(seen, seconds)

    def wake(self) -> None:
        self._arrived.ring()

    def reset(self) -> None:
        self._sender.close()
        self._known.clear()

    def close(self) -> None:
        """Let every client go."""
        self.reset()
        with self._lock:
            readers, self._readers = self._readers, []
        for reader in readers:
            reader.close()

    # --- clients ------------------------------------------------------------------------------------------------------

    def _configured(self, kind: str) -> dict[str, Any]:
        return configured(kind, self._servers, self._clients)

    def _admin_client(self) -> AdminClient:
        with self._lock:
            if self._admin is None or self._admin_pid != os.getpid():  # clients do not survive a fork
                self._admin, self._admin_pid = AdminClient(self._configured("admin"), logger=logger), os.getpid()
            return self._admin

    def _named(self, name: str) -> str:
        return self._prefix + name


def _passes(error: Exception) -> bool:
    return isinstance(error, KafkaException) and (error.args[0].retriable() or error.args[0].code() in LEADERLESS)
