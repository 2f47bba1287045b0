"""The in-memory backend: a small Kafka in one process, whose log is the outbox table. A crash loses nothing.

The relay gives a batch its offsets in one UPDATE. Memory holds only the end of each partition, and only while the relay
is in this process. Every fetch reads the table.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from django.db import connection

from eventbus import failpoints
from eventbus.backends import outbox_offsets
from eventbus.backends.base import IN_MEMORY, Backend, Consumer, TopicPartition, Unsent, partition_of
from eventbus.database import sql
from eventbus.events import Record
from eventbus.wakeups import appended

_END = "(SELECT max(log_offset) FROM eventbus_outbox WHERE topic = %b AND partition = %b AND log_offset IS NOT NULL)"
ENDS_AT_ONCE = 500  # columns of one query; PostgreSQL allows 1,664, SQLite 2,000
FOLLOW_SECONDS = 0.2  # the longest time until a process sees records that another process appended


class MemoryBackend(Backend):
    """The in-memory backend.

    It has several partitions per topic, so that no code comes to rely on order between keys.
    """

    in_process = True

    def __init__(self, *, partitions: int = 4) -> None:
        self._partitions = partitions
        self._lock = threading.Lock()
        self._ends: dict[TopicPartition, int] = {}  # filled only while this process appends
        self._appends = False

    def append(self, rows: Sequence[Unsent], fence: Callable[[], None]) -> None:
        try:
            with failpoints.atomic("append"):
                fence()
                failpoints.hit("append.fenced")
                if not self._appends:
                    self._ends.clear()
                ends = dict(self._ends)
                outbox_offsets.note([self._with_offset(row, ends) for row in rows])
        except BaseException:
            self.reset()
            raise
        with self._lock:
            self._ends.update(ends)
            self._appends = True
        appended.ring()

    def _with_offset(self, row: Unsent, ends: dict[TopicPartition, int]) -> tuple[int, int, int]:
        partition = TopicPartition(row.topic, partition_of(row.key, self._partitions))
        if partition not in ends:
            # If the log was on Kafka before, groups may have passed other programs' records, which the outbox lacks. No
            # new record may get an offset that a group has passed.
            ends[partition] = max(outbox_offsets.passed(*partition), *_ends_in_table([partition]).values())
        offset = ends[partition]
        ends[partition] = offset + 1
        return row.id, partition.partition, offset

    def generations(self, topics: Iterable[str]) -> dict[str, str]:
        return dict.fromkeys(topics, IN_MEMORY)

    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic in topics for number in range(self._partitions)]

    def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the end of each partition: from memory while this process appends, else in one query for all."""
        with self._lock:
            known = dict(self._ends) if self._appends else {}
        missing = [partition for partition in partitions if partition not in known]
        if missing:
            found = _ends_in_table(missing)
            known |= found
            with self._lock:
                if self._appends:
                    for partition in missing:
                        known[partition] = self._ends.setdefault(partition, found[partition])
        return {partition: known[partition] for partition in partitions}

    def consumer(self, topics: Iterable[str], group: str | None = None) -> Consumer:
        return MemoryConsumer(self, self.partitions(topics))

    def seen(self) -> int:
        return appended.rings

    def wait(self, seen: int, seconds: float) -> None:
        appended.wait(seen, seconds if self._appends else min(seconds, FOLLOW_SECONDS))

    def wake(self) -> None:
        appended.ring()

    def reset(self) -> None:
        with self._lock:
            self._appends = False
            self._ends.clear()


class MemoryConsumer(Consumer):
    """A reader of every partition of its topics. There is one dispatcher, so each group has one reader."""

    def __init__(self, backend: MemoryBackend, partitions: list[TopicPartition]) -> None:
        self._backend = backend
        self._offsets = dict.fromkeys(partitions, 0)
        self._unsought = set(partitions)

    def unsought(self) -> list[TopicPartition]:
        return [partition for partition in self._offsets if partition in self._unsought]

    def unseek(self) -> None:
        self._unsought = set(self._offsets)

    def withhold(self, partition: TopicPartition) -> None:
        """Do nothing: the log is the outbox, so the outbox never has a record that the log lacks."""

    def assignment(self) -> list[TopicPartition]:
        return list(self._offsets)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._offsets[partition] = offset
        self._unsought.discard(partition)

    def fetch(self, records_max: int) -> list[Record]:
        for partition, end in self._backend.ends(list(self._offsets)).items():
            offset = self._offsets[partition]
            if end <= offset:
                continue
            records = outbox_offsets.read(partition, offset, records_max)
            if records:
                # The partition moves to the end of the dict, so that partitions take turns.
                del self._offsets[partition]
                self._offsets[partition] = records[-1].offset + 1
                return records
        return []

    def catch_up(self, seconds: float) -> None:
        """Do nothing: each fetch reads the table, so the reader is never behind."""

    def commit(self, partition: TopicPartition, offset: int) -> None:
        """Do nothing: this backend's tools read the table of progress."""

    def close(self) -> None:
        self._offsets.clear()


def _ends_in_table(partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    asked = [value for partition in partitions for value in (partition.topic, partition.partition)]
    [last] = sql.fetch(connection, _ends(len(partitions)), asked)
    return {partition: 0 if offset is None else offset + 1 for partition, offset in zip(partitions, last, strict=True)}


@cache
def _ends(partitions: int) -> str:
    """Return the query for the ends of so many partitions.

    It reads one entry of the index for each partition. A GROUP BY would read the whole index.
    """
    return f"SELECT {', '.join([_END] * partitions)}"
