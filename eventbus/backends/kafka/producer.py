"""Send records to Kafka in order, acknowledged by all replicas. No record overtakes a rejected one of its key."""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from time import monotonic
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from eventbus import failpoints
from eventbus.backends.base import Unsent
from eventbus.backends.kafka.envelope import headers_of
from eventbus.database.leases import LEASE_SECONDS
from eventbus.errors import LogUnavailable

logger = logging.getLogger(__name__)

# A batch that is not acknowledged within this time is given up and sent again. The time is shorter than the lease,
# which the relay must renew.
FLUSH_SECONDS = LEASE_SECONDS * 0.8
PURGE_SECONDS = 1.0  # for the client to report the records that were given up
QUEUE_WAIT_SECONDS = 0.1  # a wait for room in the client's queue
# Errors of records that the broker never takes, however often they are sent.
REFUSED = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.RECORD_LIST_TOO_LARGE}
# How long a partition is taken to know the producer. A broker accepts any first sequence number from a producer that it
# does not know in a partition, even of a batch behind a rejected one. It knows a producer for a day after the last
# record in the partition, unless producer.id.expiration.ms says otherwise.
KNOWN_SECONDS = 3_600.0
KEYS_KNOWN_MAX = 20_000  # keys remembered for a producer: they take some megabytes
ANSWERS_SECONDS = 0.05  # between checks for acknowledged first rows: one without an answer delays only its own key
NO_OFFSET = -1
GIVEN_UP = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}  # errors of records that `_finish` has given up

Key = tuple[str, str]  # a topic and a key in it


class Sent(NamedTuple):
    """The partition and offset of an outbox row in the log."""

    id: int
    partition: int
    offset: int  # NO_OFFSET if the broker has the record and does not say its offset


class Outcome(NamedTuple):
    """The result of sending a batch.

    `sent`: the rows in the log. `rejected`: the reasons, by row id. `error`: why other rows are missing in the log,
    empty if none are. `untaken`: the ids of rows that were tried and are neither in the log nor rejected.
    """

    sent: list[Sent]
    rejected: dict[int, str]
    error: str
    untaken: frozenset[int] = frozenset()


class Sender:
    """A producer client that is made on first use, and again in each new process and after an error.

    `make` makes a client, `topic_of` returns a topic's name on the brokers, and `partition_of` a row's partition. The
    client must not choose partitions: it would use the brokers' number of them, and move keys as soon as one is added.
    """

    def __init__(
        self, make: Callable[[], Producer], topic_of: Callable[[str], str], partition_of: Callable[[Unsent], int]
    ) -> None:
        self._make, self._topic_of, self._partition_of = make, topic_of, partition_of
        self._producer: Producer | None = None
        self._pid = 0
        self._known: dict[Key, float] = {}  # until when their partitions know the producer, by the monotonic clock
        self._lock = threading.Lock()

    def send(self, rows: Sequence[Unsent]) -> Outcome:
        """Send all rows and wait for the acknowledgements. Raises LogUnavailable if none could be sent.

        A broker rejects a whole batch of the client for one wrong record. To find that record, the rows are then sent
        one by one.
        """
        with self._lock:
            until = monotonic() + FLUSH_SECONDS
            outcome = self._send(rows)
            if outcome.rejected and len(rows) > 1:
                outcome = self._send_alone(rows, outcome.sent, until)
        return outcome

    def _send(self, rows: Sequence[Unsent]) -> Outcome:
        """Send all rows.

        For each key whose partition may not know the producer, one row goes first, and the others wait for it.
        """
        reports, until = _Reports(), monotonic() + FLUSH_SECONDS
        try:
            producer = self._current()
            first, later = self._apart(rows)
            self._queue_all(producer, first, reports)
            while later and reports.all_well and (left := until - monotonic()) > 0:
                self._unanswered(producer, min(ANSWERS_SECONDS, left))
                self._queue_all(producer, [row for row, before in later if before in reports.offsets], reports)
                later = [(row, before) for row, before in later if before not in reports.offsets]
            self._finish(producer, until)
        except (KafkaException, BufferError) as error:
            self._drop()
            raise LogUnavailable(f"Kafka takes no events: {error}") from error
        outcome = reports.outcome(rows)
        if outcome.error or outcome.rejected:
            self._drop()
        else:
            self._remember(row for row in rows if row.id in reports.offsets)
        return outcome

    def _apart(self, rows: Sequence[Unsent]) -> tuple[list[Unsent], list[tuple[Unsent, int]]]:
        """Return the rows to send at once, and the later ones.

        With each later one is the id of the row that must go before.
        """
        before: dict[Key, int] = {}
        first, later = list[Unsent](), list[tuple[Unsent, int]]()
        now = monotonic()
        for row in rows:
            key = row.topic, row.key
            if key in before:
                later.append((row, before[key]))
                continue
            if self._known.get(key, now) <= now:
                before[key] = row.id
            first.append(row)
        return first, later

    def _remember(self, sent: Iterable[Unsent]) -> None:
        """Note that the partitions of these keys know the producer."""
        if len(self._known) > KEYS_KNOWN_MAX:
            self._known.clear()
        self._known |= dict.fromkeys(((row.topic, row.key) for row in sent), monotonic() + KNOWN_SECONDS)

    def _send_alone(self, rows: Sequence[Unsent], sent: Sequence[Sent], until: float) -> Outcome:
        """Send the unsent rows one by one, until one is rejected or not acknowledged. The relay sends the rest later.

        Send at least one row, and stop once `until` is over: the relay must return in time to renew its lease. `sent`:
        the rows that are in the log already.
        """
        done = list(sent)
        there = {one.id for one in sent}
        for row in rows:
            if row.id not in there:
                outcome = self._send([row])
                done += outcome.sent
                if outcome.rejected or outcome.error:
                    return outcome._replace(sent=done)
                if monotonic() >= until:
                    break
        return Outcome(done, {}, "")

    def _queue_all(self, producer: Producer, rows: Iterable[Unsent], reports: "_Reports") -> None:
        """Queue rows until the client does not take one.

        Later rows are not queued, because they might overtake that one.
        """
        for row in rows:
            if not self._queue(producer, row, reports.of(row.id)):
                break

    def _finish(self, producer: Producer, until: float) -> None:
        """Wait for the missing reports until the time is over. Then give up the rows without a report."""
        if self._unanswered(producer, max(0.0, until - monotonic())):
            producer.purge()
            self._unanswered(producer, PURGE_SECONDS)

    def _unanswered(self, producer: Producer, seconds: float) -> int:
        """Return the number of reports that are missing after `seconds`.

        `flush` raises a fatal client error: KafkaException between two delivery reports, or SystemError inside one.
        With gapless delivery a rejected record is such an error. Log it and flush once more, since the remaining
        reports say what happened to each row.
        """
        try:
            return producer.flush(seconds)
        except (KafkaException, SystemError) as error:
            logger.warning("Kafka took no more of a batch: %s", error.__cause__ or error)
            return producer.flush(PURGE_SECONDS)

    def _queue(self, producer: Producer, row: Unsent, report: Callable[[Any, Any], None]) -> bool:
        """Give a row to the client. Return True if it took the row."""
        failpoints.hit("send")
        partition = self._partition_of(row)
        headers = headers_of(row, partition)
        while True:
            try:
                producer.produce(
                    self._topic_of(row.topic),
                    partition=partition,
                    key=row.key.encode(),
                    value=row.payload,
                    headers=headers,
                    on_delivery=report,
                )
                return True
            except BufferError:  # full: let acknowledgements in
                producer.poll(QUEUE_WAIT_SECONDS)
            except KafkaException as error:
                report(error.args[0], None)
                return False

    def _current(self) -> Producer:
        if self._producer is None or self._pid != os.getpid():
            self._producer, self._pid, self._known = self._make(), os.getpid(), {}
        return self._producer

    def _drop(self) -> None:
        """Drop the client with all records that it still holds.

        The next client sends these again, and inboxes drop repeats.
        """
        producer, self._producer = self._producer, None
        if producer is not None and self._pid == os.getpid():
            producer.purge()
            producer.flush(0)

    def close(self) -> None:
        """Drop the client."""
        with self._lock:
            self._drop()


class _Reports:
    """The delivery reports of a batch, by row."""

    def __init__(self) -> None:
        self._tried: set[int] = set()
        self.offsets: dict[int, tuple[int, int]] = {}
        self._errors: dict[int, KafkaError] = {}

    def of(self, row_id: int) -> Callable[[Any, Any], None]:
        self._tried.add(row_id)

        def report(error: Any, message: Any) -> None:
            failpoints.hit("send.reported")
            if error is None:
                offset = message.offset()
                self.offsets[row_id] = message.partition(), NO_OFFSET if offset is None else offset
            else:
                self._errors[row_id] = error

        return report

    @property
    def all_well(self) -> bool:
        """True while no row was rejected or given up."""
        return not self._errors

    def outcome(self, rows: Sequence[Unsent]) -> Outcome:
        rejected = {row_id: error.str() for row_id, error in self._errors.items() if error.code() in REFUSED}
        missing = [row.id for row in rows if row.id not in self.offsets and row.id not in rejected]
        known = (error for error in self._errors.values() if error.code() not in REFUSED | GIVEN_UP)
        why = next((error.str() for error in known), "no answer in time")
        return Outcome(
            sent=[Sent(row.id, *self.offsets[row.id]) for row in rows if row.id in self.offsets],
            rejected=rejected,
            error=f"{len(missing)} of {len(rows)} events were not taken: {why}" if missing else "",
            untaken=frozenset(self._tried.intersection(missing)),
        )


def advance(
    given: Mapping[str, dict[int, int]], topics: Mapping[int, str], sent: Iterable[Sent]
) -> tuple[dict[tuple[str, int], int], set[tuple[str, int]]]:
    """Move the known ends behind what was sent. Return where the broker gave a lower offset, and where it gave none.

    `given`: by topic and partition, the known end. `topics`: by the row's id. The first result is, by topic and
    partition, the lowest offset that was given twice. Partitions of the second result keep their ends.
    """
    sent = sorted(sent, key=attrgetter("offset"))
    # Sent again after a lost answer: the broker has the record, and does not say the offset of it or its batch.
    unknown = {(topics[row_id], partition) for row_id, partition, offset in sent if offset == NO_OFFSET}
    twice: dict[tuple[str, int], int] = {}
    for row_id, partition, offset in sent:
        topic = topics[row_id]
        if (topic, partition) in unknown:
            continue
        if offset < given[topic].get(partition, 0):
            twice.setdefault((topic, partition), offset)
        else:
            given[topic][partition] = offset + 1
    return twice, unknown
