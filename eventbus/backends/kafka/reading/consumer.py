"""Read from Kafka: a separate thread polls, so that a handler may take as long as it needs.

Polled records wait in one buffer for each partition, until the worker's thread fetches them. A group's partition is
read only after a `seek` to its offset, because progress is stored in the database and not in Kafka.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from confluent_kafka import OFFSET_STORED, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from eventbus import failpoints
from eventbus.backends.base import Consumer as BusConsumer
from eventbus.backends.base import TopicPartition
from eventbus.backends.kafka import client_errors
from eventbus.backends.kafka.reading import offset_commits
from eventbus.backends.kafka.reading.assigned_partitions import AssignedPartitions
from eventbus.backends.kafka.reading.partition_discovery import PartitionDiscovery
from eventbus.backends.kafka.reading.poll_interval import PollInterval
from eventbus.backends.kafka.reading.revocation_guard import RevocationGuard
from eventbus.backends.kafka.reading.stalls import Ends, Stalled, Stalls
from eventbus.errors import LogUnavailable
from eventbus.events import Record
from eventbus.wakeups import Wakeup

logger = logging.getLogger(__name__)

REOPEN_SECONDS = 1.0  # before a client that failed for good is replaced
RECORDS_AT_ONCE = 500  # messages taken from the client in one call
CLOSE_SECONDS = 20.0  # for the thread to leave the group
# Errors of a seek before reading has begun, or during another seek: it is tried again in a moment.
TOO_EARLY = {KafkaError._STATE, KafkaError._OUTDATED, KafkaError._PREV_IN_PROGRESS}


class KafkaConsumer(BusConsumer):
    """A Kafka reader. `make` makes its client. If `partitions` are given, it has no group and reads all of them.

    Otherwise the brokers assign partitions to it. `topics` maps the bus's names of topics to those on the brokers.
    """

    def __init__(
        self,
        make: Callable[[], Consumer],
        topics: dict[str, str],
        partitions: Iterable[TopicPartition] | None,
        wakeup: Wakeup,
        ends: Ends,
        ends_now: Ends,
        hold_seconds: float,
    ) -> None:
        self._ours = {theirs: ours for ours, theirs in topics.items()}
        self._theirs = topics
        self._wakeup, self._ends = wakeup, ends
        self._interval = PollInterval()
        self._assigned = AssignedPartitions(partitions or [], self._hurry)
        self._guard = RevocationGuard(self._assigned.lock, hold_seconds)
        self._closing = threading.Event()
        self._discovery = PartitionDiscovery(topics)
        self._stalls = Stalls(ends_now)
        self._make, self._client = make, make()
        self._groupless = partitions is not None
        self._begun = not self._groupless  # a group's reader begins at once, another one with its first `fetch`
        self._thread = threading.Thread(target=self._run, name="eventbus-kafka-reader", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """True if the reader was asked to leave."""
        return self._closing.is_set()

    @property
    def generation(self) -> int:
        return self._assigned.generation

    def assignment(self) -> list[TopicPartition]:
        return self._assigned.names()

    def unsought(self) -> list[TopicPartition]:
        return self._assigned.unsought()

    def unseek(self) -> None:
        self._assigned.unseek()

    def withhold(self, partition: TopicPartition) -> None:
        self._assigned.unseek([partition])

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._assigned.seek(partition, offset)
        self._interval.hurry()

    def fetch(self, records_max: int) -> list[Record]:
        self._begun = True
        return self._assigned.fetch(records_max)

    def catch_up(self, seconds: float) -> None:
        """Wait until all records in the log now can be fetched. Raises LogUnavailable after `seconds`."""
        self._begun = True
        topics = ", ".join(self._theirs)
        if not self._assigned.wait_for_any(seconds, unless=self._closing.is_set):
            raise LogUnavailable(f"no partition of {topics} was given to this reader in {seconds:g} s")
        sought = self._assigned.sought()
        ends = self._ends(sought) if sought else {}
        if not self._assigned.wait_for(ends, seconds, unless=self._closing.is_set):
            raise LogUnavailable(f"what lies in {topics} did not come within {seconds:g} s")

    def commit(self, partition: TopicPartition, offset: int) -> None:
        self._assigned.commit(partition, offset)

    def at_work(self) -> AbstractContextManager[None]:
        return self._guard.at_work()

    def close(self) -> None:
        self._closing.set()
        with self._assigned.lock:
            self._assigned.lock.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_SECONDS)

    def _hurry(self) -> None:
        """Let both threads notice at once that the partitions have changed."""
        self._interval.hurry()
        self._wakeup.ring()

    # --- the following runs in the thread that polls ----------------------------------------------------------------

    def _run(self) -> None:
        """Read until closed. Replace a client that fails for good: otherwise its group would stand still for ever."""
        left = False
        while True:
            try:
                if left:
                    self._client = self._make()  # if this fails too, the old client is left again, which is harmless
                self._read(self._client)
            except Stalled as stalled:
                self._go_to_the_end(stalled)
            except Exception as error:
                self._assigned.fail(client_errors.why_ended(error))
            finally:
                self._leave()
                left = True
            if self._closing.wait(REOPEN_SECONDS):
                return

    def _read(self, client: Consumer) -> None:
        if not self._groupless:
            client.subscribe(
                list(self._ours), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
        while not self._begun:
            with self._assigned.lock:
                self._assigned.lock.wait(self._interval.seconds())
            if self._closing.is_set():
                return
        if self._groupless:
            self._assign_all(client)
        while not self._closing.is_set():
            if self._groupless:
                self._grow(client)
            self._tend()
            first = client.poll(self._interval.seconds())
            if first is not None:
                self._take([first, *client.consume(RECORDS_AT_ONCE - 1, 0)])
            if self._stalls.is_due():
                self._stalls.look(self._assigned.waiting())

    def _go_to_the_end(self, stalled: Stalled) -> None:
        """Let a new client read on. A reader without a group that was beyond the log's end then reads from that end.

        Records may be missing. So the next `fetch` raises, and its caller then loads its state again.
        """
        logger.error("%s: a new client reads on", stalled)
        if self._groupless:
            self._assigned.skip_to(stalled.ends)
        self._assigned.fail(str(stalled))
        self._wakeup.ring()

    def _assign_all(self, client: Consumer) -> None:
        client.assign(self._at(self._assigned.begins(self._assigned.names())))

    def _grow(self, client: Consumer) -> None:
        """Read added partitions from their beginning. The next `fetch` raises, because records may have been missed."""
        added = set(self._discovery.look(client)) - set(self._assigned.names())
        if added:
            self._assigned.add(added, sought=True)
            self._assigned.fail(f"{', '.join(self._theirs)}: partitions were added, and are read from now on")
            client.incremental_assign(self._at(self._assigned.begins(added)))

    def _tend(self) -> None:
        """Do pending seeks and commits. Pause partitions with a full buffer, and resume the others."""
        seeks, commits, full, with_room = self._assigned.pending()
        for partition, offset in seeks.items():
            self._seek(partition, offset)
        self._commit(commits, wait=False)
        self._flow(full, paused=True)
        self._flow(with_room, paused=False)

    def _seek(self, partition: TopicPartition, offset: int) -> None:
        failpoints.hit("reader.seek")
        try:
            self._client.seek(self._at({partition: offset})[0])
        except KafkaException as error:
            if error.args[0].code() not in TOO_EARLY:
                raise
            return
        self._assigned.seek_is_done(partition, offset)

    def _flow(self, partitions: list[TopicPartition], *, paused: bool) -> None:
        if partitions:
            flow = self._client.pause if paused else self._client.resume
            flow(self._at(dict.fromkeys(partitions, OFFSET_STORED)))
            self._assigned.set_paused(partitions, paused)

    def _commit(self, offsets: dict[TopicPartition, int], *, wait: bool) -> None:
        if offsets:
            offset_commits.commit(self._client, self._at(offsets), wait=wait)

    def _take(self, messages: list[Any]) -> None:
        failpoints.hit("reader.polled")
        self._assigned.put(messages, self._ours, again=self._groupless)  # without a group nothing seeks in a new log
        self._wakeup.ring()

    def _on_assign(self, client: Consumer, partitions: list[ClientPartition]) -> None:
        failpoints.hit("reader.assigned")
        client.incremental_assign([ClientPartition(one.topic, one.partition, OFFSET_STORED) for one in partitions])
        self._assigned.add(self._named(partitions))

    def _on_revoke(self, client: Consumer, partitions: list[ClientPartition]) -> None:
        """Remove revoked partitions, and commit their offsets.

        Another reader gets them once the worker ends its current work.
        """
        failpoints.hit("reader.revoked")
        revoked = self._named(partitions)
        self._assigned.remove(revoked)
        self._guard.wait(unless=self._closing.is_set)
        self._commit(self._assigned.take_commits(revoked), wait=True)
        client.incremental_unassign(partitions)

    def _on_lost(self, client: Consumer, partitions: list[ClientPartition]) -> None:
        failpoints.hit("reader.lost")
        client.incremental_unassign(partitions)
        lost = self._named(partitions)
        self._assigned.take_commits(lost)
        self._assigned.remove(lost)

    def _leave(self) -> None:
        commits = self._assigned.take_commits()
        for step in (partial(self._commit, commits, wait=True), self._client.close):
            try:
                step()
            except Exception as error:  # whatever it is, this client is gone, and the next one must begin
                logger.info("A reader left Kafka with: %s", error)
        self._assigned.client_left(forget=self.closed or not self._groupless)

    def _at(self, offsets: Mapping[TopicPartition, int]) -> list[ClientPartition]:
        """Return these partitions and offsets as the client takes them."""
        return [ClientPartition(self._theirs[one.topic], one.partition, at) for one, at in offsets.items()]

    def _named(self, partitions: Iterable[ClientPartition]) -> list[TopicPartition]:
        """Return the client's partitions as the bus names them."""
        return [TopicPartition(self._ours[one.topic], one.partition) for one in partitions]
