"""Read from Kafka: a separate thread polls, so that a handler may take as long as it needs.

Polled records wait in one buffer for each partition, until the worker's thread fetches them. A group's partition is
read only after a `seek` to its offset, because progress is stored in the database and not in Kafka.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from confluent_kafka import OFFSET_STORED, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Place

from eventbus import failpoints
from eventbus.backends.base import Consumer as BusConsumer
from eventbus.backends.base import TopicPartition
from eventbus.backends.kafka import client_errors
from eventbus.backends.kafka.envelope import record_of
from eventbus.backends.kafka.reading.offset_commits import tell
from eventbus.backends.kafka.reading.partition_buffer import PartitionBuffer
from eventbus.backends.kafka.reading.partition_discovery import PartitionDiscovery
from eventbus.backends.kafka.reading.poll_interval import PollInterval
from eventbus.backends.kafka.reading.revocation_guard import RevocationGuard
from eventbus.backends.kafka.reading.stalls import Ends, Stalled, Stalls, waiting
from eventbus.errors import LogUnavailable
from eventbus.events import Record
from eventbus.wakeups import Wakeup

logger = logging.getLogger(__name__)

REOPEN_SECONDS = 1.0  # before a client that failed for good is replaced
RECORDS_AT_ONCE = 500  # taken from the client in one go
CLOSE_SECONDS = 20.0  # for the thread to leave the group
# Errors of a seek before reading has begun, or during another seek: it is tried again in a moment.
TOO_EARLY = {KafkaError._STATE, KafkaError._OUTDATED, KafkaError._PREV_IN_PROGRESS}


class KafkaConsumer(BusConsumer):
    """A Kafka reader. `make` makes the client; a reader without a group reads all `partitions`."""

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
        self._lock = threading.Condition()
        self._slots: dict[TopicPartition, PartitionBuffer] = {}
        self._commits: dict[TopicPartition, int] = {}
        self._generation = 0
        self._hand = RevocationGuard(self._lock, hold_seconds)
        self._error: str = ""
        self._closing = threading.Event()
        self._pace = PollInterval()
        self._growth = PartitionDiscovery(topics)
        self._stalls = Stalls(ends_now)
        self._make, self._client = make, make()
        self._groupless = partitions is not None
        self._begun = not self._groupless  # a group's reader begins at once, others when first asked
        self._slots |= {partition: PartitionBuffer(sought=True) for partition in partitions or []}
        self._thread = threading.Thread(target=self._run, name="eventbus-kafka-reader", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """True if the reader has left or was asked to."""
        return self._closing.is_set()

    @property
    def generation(self) -> int:
        return self._generation

    def assignment(self) -> list[TopicPartition]:
        with self._lock:
            return list(self._slots)

    def unsought(self) -> list[TopicPartition]:
        with self._lock:
            return [partition for partition, slot in self._slots.items() if not slot.sought]

    def unseek(self) -> None:
        with self._lock:
            for slot in self._slots.values():
                slot.sought = slot.believed = False  # the log may be a new one, whose offsets mean other events

    def withhold(self, partition: TopicPartition) -> None:
        with self._lock:
            if slot := self._slots.get(partition):
                slot.sought = slot.believed = False

    def seek(self, partition: TopicPartition, offset: int) -> None:
        with self._lock:
            slot = self._slots.get(partition)
            if slot is None:
                return  # it was revoked meanwhile
            slot.seek(offset)
            self._pace.hurry()

    def fetch(self, records_max: int) -> list[Record]:
        with self._lock:
            self._begun = True
            if self._error:
                error, self._error = self._error, ""
                raise LogUnavailable(error)
            for partition, slot in list(self._slots.items()):
                if slot.sought and slot.buffer:
                    taken = [slot.buffer.popleft() for _ in range(min(records_max, len(slot.buffer)))]
                    self._slots[partition] = self._slots.pop(partition)  # to the end: partitions take turns
                    return taken
        return []

    def catch_up(self, seconds: float) -> None:
        """Wait until all records in the log now can be fetched. Raises LogUnavailable after `seconds`."""
        with self._lock:
            self._begun = True
            if not self._lock.wait_for(lambda: bool(self._slots) or self.closed, seconds):
                raise LogUnavailable(
                    f"no partition of {', '.join(self._theirs)} was given to this reader in {seconds:g} s"
                )
            sought = [partition for partition, slot in self._slots.items() if slot.sought]
        ends = self._ends(sought) if sought else {}
        with self._lock:
            done = self._lock.wait_for(lambda: self._has_come(ends), seconds)
        if not done:
            raise LogUnavailable(f"what lies in {', '.join(self._theirs)} did not come within {seconds:g} s")

    def _has_come(self, ends: dict[TopicPartition, int]) -> bool:
        slots = [(self._slots[partition], end) for partition, end in ends.items() if partition in self._slots]
        return self.closed or bool(self._error) or all(slot.has_come_to(end) for slot, end in slots)

    def commit(self, partition: TopicPartition, offset: int) -> None:
        with self._lock:
            self._commits[partition] = offset

    def at_work(self) -> AbstractContextManager[None]:
        return self._hand.at_work()

    def close(self) -> None:
        self._closing.set()
        with self._lock:
            self._lock.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_SECONDS)

    # --- the following runs in the thread that polls ----------------------------------------------------------------

    def _run(self) -> None:
        """Read until closed. Replace a client that fails for good, or its group would stand still for ever."""
        left = False
        while True:
            try:
                if left:
                    self._client = self._make()  # if this fails too, the old client is left again, which is harmless
                self._read(self._client)
            except Stalled as stalled:
                self._go_to_the_end(stalled)
            except Exception as error:
                with self._lock:
                    self._error = client_errors.why_ended(error)
            finally:
                self._leave()
                left = True
            if self._closing.wait(REOPEN_SECONDS):
                return

    def _read(self, client: Consumer) -> None:
        if not self._groupless:
            client.subscribe(list(self._ours), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        while not self._begun:
            with self._lock:
                self._lock.wait(self._pace.seconds())
            if self._closing.is_set():
                return
        if self._groupless:
            self._assign_all(client)
        while not self._closing.is_set():
            if self._groupless:
                self._grow(client)
            self._tend()
            first = client.poll(self._pace.seconds())
            if first is not None:
                self._take([first, *client.consume(RECORDS_AT_ONCE - 1, 0)])
            if self._stalls.is_due():
                with self._lock:
                    places = waiting(self._slots)
                self._stalls.look(places)

    def _go_to_the_end(self, stalled: Stalled) -> None:
        """Let a new client read on. A reader without a group that was beyond the log's end then reads from that end.

        Records may be missing. So the next `fetch` raises, and its caller then loads its state again.
        """
        logger.error("%s: a new client reads on", stalled)
        with self._lock:
            for partition, end in stalled.ends.items() if self._groupless else ():
                if slot := self._slots.get(partition):
                    slot.next = end
            self._error = str(stalled)
        self._wakeup.ring()

    def _assign_all(self, client: Consumer) -> None:
        with self._lock:
            places = [self._place(partition, slot.begin()) for partition, slot in self._slots.items()]
        client.assign(places)

    def _grow(self, client: Consumer) -> None:
        """Read added partitions from their beginning. The next `fetch` raises, because records may have been missed."""
        there = self._growth.look(client)
        with self._lock:
            added = {partition: PartitionBuffer(sought=True) for partition in there if partition not in self._slots}
            if not added:
                return
            self._slots |= added
            self._error = f"{', '.join(self._theirs)}: partitions were added, and are read from now on"
            self._changed()
            places = [self._place(partition, slot.begin()) for partition, slot in added.items()]
        client.incremental_assign(places)

    def _tend(self) -> None:
        """Do pending seeks and commits. Pause partitions with a full buffer, and resume the others."""
        with self._lock:
            seeks = {at: slot.seeking for at, slot in self._slots.items() if slot.seeking is not None}
            commits, self._commits = self._commits, {}
            stop = [at for at, slot in self._slots.items() if slot.is_full()]
            go_on = [at for at, slot in self._slots.items() if slot.may_go_on()]
        for partition, offset in seeks.items():
            self._seek(partition, offset)
        self._commit(commits, wait=False)
        self._flow(stop, paused=True)
        self._flow(go_on, paused=False)

    def _seek(self, partition: TopicPartition, offset: int) -> None:
        failpoints.hit("reader.seek")
        try:
            self._client.seek(self._place(partition, offset))
        except KafkaException as error:
            if error.args[0].code() not in TOO_EARLY:
                raise
            return
        with self._lock:
            slot = self._slots.get(partition)
            if slot is not None and slot.seeking == offset:
                slot.seeking = None

    def _flow(self, partitions: list[TopicPartition], *, paused: bool) -> None:
        if partitions:
            places = [self._place(partition) for partition in partitions]
            (self._client.pause if paused else self._client.resume)(places)
            with self._lock:
                for partition in partitions:
                    if slot := self._slots.get(partition):
                        slot.paused = paused

    def _commit(self, offsets: dict[TopicPartition, int], *, wait: bool) -> None:
        if offsets:
            places = [self._place(partition, offset) for partition, offset in offsets.items()]
            tell(self._client, places, wait=wait)

    def _take(self, messages: list[Any]) -> None:
        failpoints.hit("reader.polled")
        with self._lock:
            for message in messages:
                if message.error():
                    self._error = client_errors.note(message.error()) or self._error
                    continue
                topic = self._ours[message.topic()]
                slot = self._slots.get(TopicPartition(topic, message.partition()))
                if slot is None or slot.seeking is not None:
                    continue  # revoked, or a seek is pending
                if slot.had(message.offset()) and not self._groupless:  # groupless ones do not seek in a new log
                    continue
                slot.buffer.append(record_of(message, topic))
                slot.next = message.offset() + 1
            self._lock.notify_all()
        self._wakeup.ring()

    def _assigned(self, client: Consumer, places: list[Place]) -> None:
        failpoints.hit("reader.assigned")
        client.incremental_assign([Place(place.topic, place.partition, OFFSET_STORED) for place in places])
        with self._lock:
            self._slots |= {self._partition(place): PartitionBuffer() for place in places}
            self._changed()

    def _revoked(self, client: Consumer, places: list[Place]) -> None:
        """Read nothing of these from now on. Work in hand comes to its end before another reader gets them."""
        failpoints.hit("reader.revoked")
        self._forget(places)
        self._hand.wait(unless=self._closing.is_set)
        self._commit(self._take_commits(places), wait=True)
        client.incremental_unassign(places)

    def _lost(self, client: Consumer, places: list[Place]) -> None:
        failpoints.hit("reader.lost")
        client.incremental_unassign(places)
        self._take_commits(places)
        self._forget(places)

    def _forget(self, places: list[Place]) -> None:
        with self._lock:
            for place in places:
                self._slots.pop(self._partition(place), None)
            self._changed()

    def _take_commits(self, places: list[Place]) -> dict[TopicPartition, int]:
        with self._lock:
            ours = map(self._partition, places)
            return {partition: self._commits.pop(partition) for partition in ours if partition in self._commits}

    def _changed(self) -> None:
        self._generation += 1
        self._pace.hurry()
        self._lock.notify_all()
        self._wakeup.ring()

    def _leave(self) -> None:
        with self._lock:
            commits, self._commits = self._commits, {}
        for step in (partial(self._commit, commits, wait=True), self._client.close):
            try:
                step()
            except Exception as error:  # of any kind: this client is gone, and the next must begin
                logger.info("A reader left Kafka with: %s", error)
        with self._lock:
            if self.closed or not self._groupless:
                self._slots.clear()
            self._changed()

    def _place(self, partition: TopicPartition, offset: int = OFFSET_STORED) -> Place:
        return Place(self._theirs[partition.topic], partition.partition, offset)

    def _partition(self, place: Place) -> TopicPartition:
        return TopicPartition(self._ours[place.topic], place.partition)
