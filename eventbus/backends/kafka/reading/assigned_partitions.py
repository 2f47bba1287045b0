"""The partitions that a reader has now: their buffers and uncommitted offsets, shared by its two threads."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from eventbus.backends.base import TopicPartition
from eventbus.backends.kafka import client_errors
from eventbus.backends.kafka.envelope import record_of
from eventbus.backends.kafka.reading.partition_buffer import PartitionBuffer
from eventbus.errors import LogUnavailable
from eventbus.events import Record


class Pending(NamedTuple):
    """Work for the client: offsets to seek and to commit, partitions to pause and to resume."""

    seeks: dict[TopicPartition, int]
    commits: dict[TopicPartition, int]
    full: list[TopicPartition]
    with_room: list[TopicPartition]


class AssignedPartitions:
    """The partitions, buffers and uncommitted offsets of one reader. Safe in both of its threads.

    `on_change` is called, under the lock, when partitions are added or removed.
    """

    def __init__(self, partitions: Iterable[TopicPartition], on_change: Callable[[], None]) -> None:
        self.lock = threading.Condition()
        self.buffers = {partition: PartitionBuffer(sought=True) for partition in partitions}
        self.generation = 0  # grows with each change of the partitions
        self._commits: dict[TopicPartition, int] = {}
        self._error = ""  # raised by the next fetch
        self._on_change = on_change

    # --- the owner's thread -----------------------------------------------------------------------------------------

    def names(self) -> list[TopicPartition]:
        """Return the partitions that the reader has now."""
        with self.lock:
            return list(self.buffers)

    def unsought(self) -> list[TopicPartition]:
        """Return the partitions that need a `seek`."""
        with self.lock:
            return [partition for partition, buffer in self.buffers.items() if not buffer.sought]

    def unseek(self, partitions: Collection[TopicPartition] | None = None) -> None:
        """Let `fetch` return no records of these partitions before their next `seek`; by default of all partitions."""
        with self.lock:
            for partition, buffer in self.buffers.items():
                if partitions is None or partition in partitions:
                    # The log may be a new one, whose offsets mean other events.
                    buffer.sought = buffer.believed = False

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Let `fetch` return records from this offset on, unless the partition was revoked meanwhile."""
        with self.lock:
            if buffer := self.buffers.get(partition):
                buffer.seek(offset)

    def fetch(self, records_max: int) -> list[Record]:
        """Return the next records of one partition; the calls take them in turn. Raises LogUnavailable after `fail`."""
        with self.lock:
            if self._error:
                error, self._error = self._error, ""
                raise LogUnavailable(error)
            for partition, buffer in list(self.buffers.items()):
                if buffer.sought and buffer.records:
                    taken = [buffer.records.popleft() for _ in range(min(records_max, len(buffer.records)))]
                    self.buffers[partition] = self.buffers.pop(partition)  # to the end of the dict
                    return taken
        return []

    def commit(self, partition: TopicPartition, offset: int) -> None:
        """Have the polling thread commit this offset."""
        with self.lock:
            self._commits[partition] = offset

    def wait_for_any(self, seconds: float, unless: Callable[[], bool]) -> bool:
        """Wait for partitions. Return True once there are some or `unless` is true, and False after `seconds`."""
        with self.lock:
            return self.lock.wait_for(lambda: bool(self.buffers) or unless(), seconds)

    def wait_for(self, ends: Mapping[TopicPartition, int], seconds: float, unless: Callable[[], bool]) -> bool:
        """Wait until all records before these offsets can be fetched. Return False after `seconds`.

        Return True at once if `unless` is true, or if the next fetch raises.
        """

        def have_come() -> bool:
            buffers = [(self.buffers[one], end) for one, end in ends.items() if one in self.buffers]
            return unless() or bool(self._error) or all(buffer.has_come_to(end) for buffer, end in buffers)

        with self.lock:
            return self.lock.wait_for(have_come, seconds)

    def sought(self) -> list[TopicPartition]:
        """Return the partitions whose records `fetch` returns."""
        with self.lock:
            return [partition for partition, buffer in self.buffers.items() if buffer.sought]

    # --- the thread that polls --------------------------------------------------------------------------------------

    def add(self, partitions: Iterable[TopicPartition], *, sought: bool = False) -> None:
        """Begin to buffer the records of these partitions. Unless `sought`, they need a `seek` first."""
        with self.lock:
            self.buffers |= {partition: PartitionBuffer(sought=sought) for partition in partitions}
            self._changed()

    def remove(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget these partitions and their records."""
        with self.lock:
            for partition in partitions:
                self.buffers.pop(partition, None)
            self._changed()

    def client_left(self, *, forget: bool) -> None:
        """Note that the client is closed. With `forget`, the next one has to be assigned partitions anew."""
        with self.lock:
            if forget:
                self.buffers.clear()
            self._changed()

    def put(self, messages: Iterable[Any], topics: Mapping[str, str], *, again: bool) -> None:
        """Buffer polled messages, except those of a revoked partition and of one with a pending seek.

        `topics`: the bus's name of each topic on the brokers. An offset that came before is left out. With `again` it
        is buffered, because it belongs to a new log.
        """
        with self.lock:
            for message in messages:
                if message.error():
                    self._error = client_errors.note(message.error()) or self._error
                    continue
                topic, offset = topics[message.topic()], message.offset()
                buffer = self.buffers.get(TopicPartition(topic, message.partition()))
                if buffer is None or buffer.seeking is not None or (buffer.had(offset) and not again):
                    continue
                buffer.records.append(record_of(message, topic))
                buffer.next = offset + 1
            self.lock.notify_all()

    def begins(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets at which a new client of these partitions reads on."""
        with self.lock:
            return {one: self.buffers[one].begin() for one in partitions}

    def skip_to(self, ends: Mapping[TopicPartition, int]) -> None:
        """Let a new client read these partitions from these offsets on."""
        with self.lock:
            for partition, end in ends.items():
                if buffer := self.buffers.get(partition):
                    buffer.next = end

    def waiting(self) -> dict[TopicPartition, int]:
        """Return the next offsets of the partitions whose buffer is empty and that wait for more."""
        with self.lock:
            return {
                one: buffer.next
                for one, buffer in self.buffers.items()
                if buffer.sought and buffer.next >= 0 and not buffer.records and not buffer.paused
            }

    def pending(self) -> Pending:
        """Return the work that the client has to do now, and forget the commits."""
        with self.lock:
            commits, self._commits = self._commits, {}
            return Pending(
                {one: buffer.seeking for one, buffer in self.buffers.items() if buffer.seeking is not None},
                commits,
                [one for one, buffer in self.buffers.items() if buffer.is_full()],
                [one for one, buffer in self.buffers.items() if buffer.may_go_on()],
            )

    def seek_is_done(self, partition: TopicPartition, offset: int) -> None:
        """Buffer polled records again, unless another offset is to be sought by now."""
        with self.lock:
            buffer = self.buffers.get(partition)
            if buffer is not None and buffer.seeking == offset:
                buffer.seeking = None

    def set_paused(self, partitions: Iterable[TopicPartition], paused: bool) -> None:
        """Note that the client has paused these partitions, or resumed them."""
        with self.lock:
            for partition in partitions:
                if buffer := self.buffers.get(partition):
                    buffer.paused = paused

    def take_commits(self, partitions: Iterable[TopicPartition] | None = None) -> dict[TopicPartition, int]:
        """Return the uncommitted offsets of these partitions, by default of all, and forget them."""
        with self.lock:
            ones = list(self._commits if partitions is None else partitions)
            return {one: self._commits.pop(one) for one in ones if one in self._commits}

    def fail(self, error: str) -> None:
        """Have the next fetch raise LogUnavailable with this text."""
        with self.lock:
            self._error = error

    def _changed(self) -> None:
        self.generation += 1
        self._on_change()
        self.lock.notify_all()
