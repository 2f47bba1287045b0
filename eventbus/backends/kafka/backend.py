"""The Kafka backend: topics, partitions, append, and readers over confluent_kafka clients."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaException, Producer
from confluent_kafka import Consumer as Client
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient

from eventbus import failpoints
from eventbus.backends import outbox_offsets
from eventbus.backends.base import Backend, Consumer, TopicPartition, Unsent
from eventbus.backends.kafka import client_errors
from eventbus.backends.kafka.brokers import end_offsets
from eventbus.backends.kafka.brokers.admin_client import Admins
from eventbus.backends.kafka.brokers.topics import KafkaTopics, insist, passes, said
from eventbus.backends.kafka.configuration import configured, exposed, refuse_broken_promises, refuse_unknown
from eventbus.backends.kafka.key_partitions import Partitions
from eventbus.backends.kafka.other_sites import OtherSites
from eventbus.backends.kafka.producer import Sender, Sent, advance
from eventbus.backends.kafka.reading.consumer import KafkaConsumer
from eventbus.backends.kafka.reading.revocation_guard import hold_seconds
from eventbus.backends.kafka.stale_tail import behind_ours, lying_in
from eventbus.errors import LogTruncated, LogUnavailable
from eventbus.events import Record
from eventbus.wakeups import Wakeup

logger = logging.getLogger(__name__)
# Every producer logs this about a setting that we want and test: librdkafka calls the gapless guarantee experimental.
logger.addFilter(lambda record: "enable.gapless.guarantee is experimental" not in record.getMessage())
logger.addFilter(lambda record: client_errors.OLDER not in record.getMessage())  # `why_ended` explains it
logger.addFilter(client_errors.RepeatFilter())

GROUPLESS = "mcommerce-watch"  # the client needs a group name; it joins no group and stores nothing under it

failpoints.declare(
    backend="kafka",
    commits={
        "mark": "rows of events that Kafka has get their offsets",
        "refill": "what lay in a log that is gone is unsent again, and its groups begin anew",
        "republish": "what an operator wants in the log again is unsent again",
    },
    inside={
        "mark.fenced": "this relay is still the one",
        "refill.passed": "inboxes tell of all that was passed, and nothing is unsent yet",
    },
    outside={
        "send": "an event is about to be given to Kafka's client",
        "send.reported": "Kafka says where an event lies, and nobody has noted it",
        "append.acknowledged": "Kafka has the events, and no row says so",
        "reader.assigned": "partitions were given to a reader, and it does not read them yet",
        "reader.revoked": "partitions are taken from a reader, and Kafka does not know how far it was",
        "reader.lost": "partitions were taken from a reader that was thought dead, and it does not know yet",
        "reader.seek": "a reader knows from where to read, and its client does not",
        "reader.polled": "records came, and no buffer holds them",
        "offsets.commit": "Kafka is about to be told how far a reader is",
        "offsets.committed": "Kafka was told how far a reader is",
    },
)


class KafkaBackend(Backend):
    """The bus's log on Kafka brokers.

    `servers` are host:port, comma-separated. `prefix` precedes the names of topics and groups on the brokers.
    `clients` are librdkafka's own settings by name: TLS, SASL, `group.protocol`. `partitions` and `replication` apply
    to a topic for which nothing else is declared (eventbus.backends.topics).
    """

    in_process = False
    topics: KafkaTopics

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
        self._clients = dict(clients or {})
        refuse_broken_promises(self._clients)
        self._lock = threading.Lock()
        self._arrived = Wakeup()
        self._admins = Admins(lambda: AdminClient(self._configured("admin"), logger=logger))
        self.topics = KafkaTopics(self._admin_client, self._named, partitions=partitions, replication=replication)
        self._partitions = Partitions(self.topics)
        self._sender = Sender(self._make_producer, self._named, self._partitions.of)
        self._sites = OtherSites(self._admin_client, self._named)
        self._given: dict[str, dict[int, int]] = {}  # by topic and partition, the end of what was appended
        self._unread = end_offsets.Unread()
        self._readers: list[KafkaConsumer] = []

    def refuse_settings(self) -> None:
        consumer = self._configured("consumer") | {"group.id": self._named(GROUPLESS)}
        refuse_unknown(self._configured("producer"), consumer, logger)

    def exposed(self) -> str:
        return exposed(self._clients)

    # --- sending ------------------------------------------------------------------------------------------------------

    def append(self, rows: Sequence[Unsent], fence: Callable[[], None]) -> None:
        topics = {row.topic for row in rows}
        given = {topic: self._given_of(topic) for topic in topics}
        self._partitions.learn(topics)
        try:
            outcome = self._sender.send(rows)
        except LogUnavailable as error:
            raise LogUnavailable(self._why(str(error), rows)) from error
        failpoints.hit("append.acknowledged")
        self._refuse_offsets_given_before(given, rows, outcome.sent)
        with failpoints.atomic("mark"):
            fence()
            failpoints.hit("mark.fenced")
            if outcome.sent:
                outbox_offsets.note(outcome.sent)
            for row_id, reason in outcome.rejected.items():
                outbox_offsets.reject(row_id, reason)
            outbox_offsets.finish(topics)
        if outcome.error:
            raise LogUnavailable(
                self._why(outcome.error, rows), {row.topic for row in rows if row.id in outcome.untaken}
            )
        self._arrived.ring()

    def _given_of(self, topic: str) -> dict[int, int]:
        """Return the known end of each partition. Call it before sending: a group may read a new record at once."""
        known = self._given.get(topic)
        if known is None:
            known = self._given[topic] = outbox_offsets.given(topic)
        return known

    def _refuse_offsets_given_before(
        self, given: Mapping[str, dict[int, int]], rows: Sequence[Unsent], sent: Sequence[Sent]
    ) -> None:
        """Raise LogTruncated if the broker gave an offset a second time: the log was recreated, or lost its end.

        `given`: the ends known before sending. A group beyond such an offset would not handle the new record.
        """
        twice, unknown = advance(given, {row.id: row.topic for row in rows}, sent)
        if twice:
            names = ", ".join(sorted({self._named(topic) for topic, _ in twice}))
            raise LogTruncated(f"Kafka gave an offset twice: the log of {names} has lost what lay there", twice)
        if unknown:
            raise LogUnavailable("Kafka does not say where it has put an event: it is sent again")

    def strays(self, topic: str, beat: Callable[[], None]) -> dict[int, int]:
        """Search the whole log for this site's records. It is short, because as a rule it was made just now."""
        if not any(self.ends(self.partitions([topic])).values()):
            return {}
        begins = dict.fromkeys(range(self._partitions.count(topic)), OFFSET_BEGINNING)
        return behind_ours(self.tail(topic, begins, beat), self._named(topic))

    def tail(self, topic: str, begins: Mapping[int, int], beat: Callable[[], None]) -> Iterator[Record]:
        config = self._configured("consumer") | {"group.id": self._named(GROUPLESS), "enable.partition.eof": True}
        client = Client(config, logger=logger)
        try:
            yield from lying_in(client, self._named(topic), topic, begins, beat)
        finally:
            client.close()

    def _why(self, error: str, rows: Sequence[Unsent]) -> str:
        """Return the error, or name the missing topics: for these the client only reports a timeout."""
        try:
            missing = self.topics.absent({row.topic for row in rows})
        except LogUnavailable:
            return error
        return "; ".join([*map(self.topics.missing, missing)] or [error])

    # --- topics and offsets -------------------------------------------------------------------------------------------

    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        return self._partitions.used(topics)  # those added with Kafka's own tools wait for an operator

    def generations(self, topics: Iterable[str]) -> dict[str, str]:
        return self.topics.generations(list(topics))

    def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        asked = self._client_partitions(partitions)
        # A partition may be without a leader for a moment: it was just made, or its broker just died.
        found = self._insist(lambda: end_offsets.ends(self._admin_client(), asked), "where its log ends")
        return {asked[partition]: offset for partition, offset in found.items()}

    def ends_now(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        asked = self._client_partitions(partitions)
        found = end_offsets.ends_now(self._admin_client(), asked, self._passes)
        return {asked[partition]: end for partition, end in found.items()}

    def waits(self, partition: TopicPartition, offset: int, before: datetime) -> bool:
        [asked] = self._client_partitions([partition])
        records = partial(self.tail, partition.topic, {partition.partition: offset}, lambda: None)

        def since(at: datetime) -> Any:
            return self._insist(lambda: end_offsets.since(self._admin_client(), asked, at), "since when records wait")

        return self._unread.waits((asked, offset), before, since, records)

    def earliest_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offsets. A missing topic gets 0, because it may come back with any of its records."""
        asked = self._client_partitions(partitions)
        found = end_offsets.begins(self._admin_client(), asked, self._passes)
        return dict.fromkeys(asked.values(), 0) | {asked[partition]: begin for partition, begin in found.items()}

    def _insist(self, ask: Callable[[], Any], wanted: str) -> Any:
        try:
            return insist(ask, passes=self._passes)
        except (KafkaException, TimeoutError) as error:
            raise LogUnavailable(f"Kafka does not say {wanted}: {said(error)}") from error

    def _passes(self, error: Exception) -> bool:
        """Return True if the question should be asked again. Renew the client if it is outdated."""
        if not end_offsets.is_outdated(error):
            return passes(error)
        self._admins.renew()
        return True

    def _client_partitions(self, partitions: Iterable[TopicPartition]) -> dict[ClientPartition, TopicPartition]:
        return {ClientPartition(self._named(one.topic), one.partition): one for one in partitions}

    def provision(self, topics: Iterable[str]) -> list[str]:
        """Make the missing topics and return their names on the brokers. Raises LogUnavailable."""
        topics = list(topics)
        made = self.topics.make(topics)
        self._partitions.forget()
        # Wait until the broker that answers knows each partition, and each has its leader.
        insist(
            lambda: self.ends(self._partitions.there(topics)), passes=lambda error: isinstance(error, LogUnavailable)
        )
        return [self._named(topic) for topic in made]

    # --- reading ------------------------------------------------------------------------------------------------------

    def consumer(self, topics: Iterable[str], group: str | None = None) -> Consumer:
        topics = list(topics)
        if group is not None:
            self._sites.refuse_others([group])
        name = self._named(GROUPLESS if group is None else group)
        config = {"client.id": self._sites.client_id()} | self._configured("consumer") | {"group.id": name}
        reader = KafkaConsumer(
            lambda: Client(config, logger=logger),
            {topic: self._named(topic) for topic in topics},
            self._partitions.there(topics) if group is None else None,
            self._arrived,
            self.ends,
            self.ends_now,
            hold_seconds(config),
        )
        with self._lock:
            self._readers = [*(one for one in self._readers if not one.closed), reader]
        return reader

    def other_sites(self, groups: Iterable[str]) -> list[str]:
        return self._sites.others(list(groups))

    def seen(self) -> int:
        return self._arrived.rings

    def wait(self, seen: int, seconds: float) -> None:
        self._arrived.wait(seen, seconds)

    def wake(self) -> None:
        self._arrived.ring()

    def reset(self) -> None:
        self._sender.close()
        self._partitions.forget()
        self._given.clear()

    def close(self) -> None:
        """Close every client."""
        self.reset()
        self._admins.close()
        with self._lock:
            readers, self._readers = self._readers, []
        for reader in readers:
            reader.close()

    # --- clients ------------------------------------------------------------------------------------------------------

    def _configured(self, kind: str) -> dict[str, Any]:
        return configured(kind, self._servers, self._clients)

    def _make_producer(self) -> Producer:
        return Producer(self._configured("producer"), logger=logger)

    def _admin_client(self) -> AdminClient:
        return self._admins.current()

    def _named(self, name: str) -> str:
        return self._prefix + name
