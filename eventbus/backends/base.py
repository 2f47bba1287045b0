"""The interface of a backend. It is small, so that each backend can keep every guarantee."""

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from eventbus.backends.log_description import LogDescription, PartitionDescription, TopicDescription
from eventbus.backends.topics import Topics
from eventbus.events import Record

IN_MEMORY = "memory"  # the `generation` of a topic whose log is the outbox
KEYS_REMEMBERED = 4_096  # keys whose partition is cached: computing it takes some microseconds, and keys recur


class TopicPartition(NamedTuple):
    """An ordered slice of a topic."""

    topic: str
    partition: int


class Unsent(NamedTuple):
    """A committed outbox row on its way into the log."""

    id: int
    topic: str
    type: str
    key: str
    payload: bytes
    headers: str  # JSON object of the CloudEvents attributes, without `sequence`: that is `id`


class Consumer(ABC):
    """A reader of some partitions, for one group or (a watch) for none. Belongs to one thread."""

    @abstractmethod
    def assignment(self) -> list[TopicPartition]:
        """Return the partitions that the reader has now."""

    @property
    def generation(self) -> int:
        """A number that grows whenever partitions are assigned or revoked."""
        return 0

    @abstractmethod
    def unsought(self) -> list[TopicPartition]:
        """Return the assigned partitions that need a `seek`. `fetch` returns none of their records before."""

    @abstractmethod
    def unseek(self) -> None:
        """Let `fetch` return no record of any partition before its next `seek`."""

    @abstractmethod
    def withhold(self, partition: TopicPartition) -> None:
        """Let `fetch` return no record of this partition before its next `seek`.

        The caller reads it from the outbox until then.
        """

    @abstractmethod
    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Let `fetch` return the partition's records from this offset on."""

    @abstractmethod
    def fetch(self, records_max: int) -> list[Record]:
        """Return the next records of one partition, in order and each once; none if there are none now. Never waits.

        The calls take the partitions in turn. After a crash or a seek a record may be returned again. Between two seeks
        every record is returned.
        """

    @abstractmethod
    def catch_up(self, seconds: float) -> None:
        """Wait until `fetch` can return all records that are in the log now.

        For tests and tools: a worker does not need it. Raises LogUnavailable after `seconds`.
        """

    @abstractmethod
    def commit(self, partition: TopicPartition, offset: int) -> None:
        """Store the group's offset for the backend's own tools. The bus itself reads progress from its own table."""

    def at_work(self) -> AbstractContextManager[None]:
        """Return a context in which the caller handles records. Until it ends, no partition is given to another reader.

        If it takes too long, the partition moves all the same. Then the next reader takes the unfinished work for that
        of a crashed process.
        """
        return nullcontext()

    @abstractmethod
    def close(self) -> None:
        """Leave the group; the partitions are free for others."""


class Backend(ABC):
    """A log. One object per process, shared by its threads.

    Once `append` has returned, its records survive a crash, and every group fetches them at least once. Records of one
    key are in one partition, in the order in which they were appended. Offsets only grow, perhaps with gaps.
    """

    in_process: bool  # True if relay and workers run in the threads of one process
    topics: Topics | None = None  # the topics on the brokers; None if the log has no brokers

    @abstractmethod
    def append(self, rows: Sequence[Unsent], fence: Callable[[], None]) -> None:
        """Append outbox rows to the log, in order, and store each row's partition and offset durably.

        `fence` raises LeaseLost if the caller is no longer the relay. It is called in the transaction that stores the
        offsets.
        """

    @abstractmethod
    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        """Return all partitions of these topics."""

    def generations(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the name of each topic's present log. No other log ever gets this name. Raises LogUnavailable."""
        return {}

    def strays(self, topic: str, beat: Callable[[], None]) -> dict[int, int]:
        """Return, by partition, the offset after the last of this site's records in a recreated log.

        Relays appended them before the loss was noticed. They are appended again, so groups begin behind them. `beat`
        renews the relay's lease, and is called again and again meanwhile. Raises LogUnavailable, and what `beat`
        raises.
        """
        return {}

    def tail(self, topic: str, begins: Mapping[int, int], beat: Callable[[], None]) -> Iterator[Record]:
        """Yield the topic's records, in order per partition; none if the outbox is the log.

        `begins`: the first offset to read, by partition; partitions without one are left out. `beat` renews the relay's
        lease, and is called again and again. Raises LogUnavailable, and what `beat` raises.
        """
        return iter(())

    @abstractmethod
    def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return for each partition the lowest offset that its next record can have."""

    def ends_now(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the ends that the log gives at once. The other partitions are left out. Raises LogUnavailable."""
        return self.ends(partitions)

    def end(self, partition: TopicPartition) -> int:
        """Return the end of one partition."""
        return self.ends([partition])[partition]

    def earliest_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offset that the log still has in each of these partitions, whatever the outbox has pruned.

        The log never returns an earlier record again. If the outbox is the log, the result is empty. Raises
        LogUnavailable.
        """
        return {}

    def waits(self, partition: TopicPartition, offset: int, before: datetime) -> bool:
        """Return True if a record at this offset or after it has a time `before` this one.

        If the outbox is the log, the outbox knows, and the result is False. Raises LogUnavailable.
        """
        return False

    def other_sites(self, groups: Iterable[str]) -> list[str]:
        """Return a sentence with the remedy for each of these groups that another site reads as well."""
        return []

    @abstractmethod
    def consumer(self, topics: Iterable[str], group: str | None = None) -> Consumer:
        """Return a reader. Without a group it reads every partition and leaves no trace."""

    @abstractmethod
    def wait(self, seen: int, seconds: float) -> None:
        """Wait until there may be more to fetch, for `seconds` at most.

        `seen` is a number that `seen()` has returned.
        """

    @abstractmethod
    def seen(self) -> int:
        """Return a number for `wait`. Take it before a fetch: records that come in between end the wait at once."""

    @abstractmethod
    def wake(self) -> None:
        """End every wait of this process at once, so that a thread that was asked to leave sees it."""

    def refuse_settings(self) -> None:
        """Raise ImproperlyConfigured if the backend cannot work with its settings.

        Asks no broker, and takes milliseconds.
        """
        return

    def exposed(self) -> str:
        """Return a text that says why other programs can write into the log; empty if the settings prevent it."""
        return ""

    def describe(self, topics: Collection[str], seconds: float) -> LogDescription:
        """Return the brokers, and these topics with their partitions. Raises LogUnavailable after `seconds`."""
        if self.topics is not None:
            return self.topics.describe(topics, seconds)
        found: dict[str, list[PartitionDescription]] = {topic: [] for topic in topics}
        for (topic, partition), end in self.ends(self.partitions(topics)).items():
            found[topic].append(PartitionDescription(partition, None, end))
        return LogDescription([], {topic: TopicDescription(None, ends) for topic, ends in found.items()})

    def provision(self, topics: Iterable[str]) -> list[str]:
        """Make the missing topics and return them. A log that needs none made does nothing."""
        return []

    @abstractmethod
    def reset(self) -> None:
        """Forget the state in memory. For tests, and after an infrastructure error."""


@lru_cache(maxsize=KEYS_REMEMBERED)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key's records, the same one that Kafka's clients choose.

    So a key stays in its partition when a site moves to Kafka and back. It must stay there, because a group's counts
    and a key's parked events are stored by partition.
    """
    return (_murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 of these bytes, with the seed that Kafka's Java client uses (`Utils.murmur2`)."""
    multiplier, whole = 0x5BD1E995, len(data) & ~3
    found = 0x9747B28C ^ len(data)
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        word = word * multiplier & 0xFFFFFFFF
        word = (word ^ word >> 24) * multiplier & 0xFFFFFFFF
        found = (found * multiplier & 0xFFFFFFFF) ^ word
    if rest := data[whole:]:
        found = (found ^ int.from_bytes(rest, "little")) * multiplier & 0xFFFFFFFF
    found = (found ^ found >> 13) * multiplier & 0xFFFFFFFF
    return found ^ found >> 15
