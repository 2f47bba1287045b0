"""What a backend is: partitions, keys, groups and offsets. Small, so that each can keep every promise."""

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import NamedTuple

from eventbus.backends.topics import Topics
from eventbus.events import Record

IN_MEMORY = "memory"  # the generation of every log that is the outbox
KEYS_REMEMBERED = 4_096  # with their partition: to find it takes some microseconds, and keys come again and again


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
        """The partitions that are its to read now."""

    @property
    def generation(self) -> int:
        """Grows whenever partitions are given or taken away."""
        return 0

    @abstractmethod
    def unsought(self) -> list[TopicPartition]:
        """Partitions of the assignment that were given since they were last sought: a group reads none before."""

    @abstractmethod
    def unseek(self) -> None:
        """Read nothing of any partition before it is sought again."""

    @abstractmethod
    def withhold(self, partition: TopicPartition) -> None:
        """Give nothing of this one before it is sought again: what comes before it lies elsewhere."""

    @abstractmethod
    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read on from this offset."""

    @abstractmethod
    def fetch(self, records_max: int) -> list[Record]:
        """The next records of one partition, in order, each once; empty when there is nothing now. Never waits.

        Partitions take turns. After a crash or a seek a record may come again; between two seeks none is left out.
        """

    @abstractmethod
    def catch_up(self, seconds: float) -> None:
        """Wait until what lies in the log now can be fetched. For tests and tools: a worker has no need to know.

        Raises LogUnavailable after so long.
        """

    @abstractmethod
    def commit(self, partition: TopicPartition, offset: int) -> None:
        """Tell the backend's own tools how far the group is. The truth is in the table `progress`."""

    def at_work(self) -> AbstractContextManager[None]:
        """While it lasts something may be in hand. A partition that is to move moves afterwards, or after a while.

        The next one to read it would take what is in hand for left behind by a death.
        """
        return nullcontext()

    @abstractmethod
    def close(self) -> None:
        """Leave; the partitions are free for others."""


class Backend(ABC):
    """A log. One object per process, shared by its threads.

    It promises: what `append` has returned for survives a crash and is fetched at least once by every group; records
    of one key lie in one partition, in the order in which they were appended; offsets only grow, perhaps with gaps.
    """

    in_process: bool  # whether relay and workers run in the threads of one process
    topics: Topics | None = None  # for a log whose topics have to be made

    @abstractmethod
    def append(self, rows: Sequence[Unsent], fence: Callable[[], None]) -> None:
        """Put outbox rows at the end of the log, in order, and note on each row where it lies, durably.

        `fence` raises LeaseLost when the caller is no longer the relay; it is called where that still undoes all.
        """

    @abstractmethod
    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        """All partitions of these topics."""

    def generations(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the name of each topic's present log, unique for ever. Raises LogUnavailable."""
        return {}

    def strays(self, topic: str, beat: Callable[[], None]) -> dict[int, int]:
        """By partition, the end of what relays have put into a log that was made anew before that was known.

        All of it is appended again: whoever reads from there on meets it in order. `beat` is called again and again
        while it looks. Raises LogUnavailable, and what `beat` raises.
        """
        return {}

    def tail(self, topic: str, begins: Mapping[int, int], beat: Callable[[], None]) -> Iterator[Record]:
        """All that lies in these partitions from these offsets on, where the outbox is not the log.

        In the order of each partition. `beat` is called again and again. Raises LogUnavailable, and what `beat` raises.
        """
        return iter(())

    @abstractmethod
    def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset that the next record of each will have at least."""

    def ends_now(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The same, as far as it can be said at once: the others are left out. Raises LogUnavailable."""
        return self.ends(partitions)

    def end(self, partition: TopicPartition) -> int:
        """The same for one."""
        return self.ends([partition])[partition]

    def earliest_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """From where on the log can show each again, whatever the outbox has let go: nothing before it comes again.

        Nothing of a partition that is left out: there the outbox is the log. Raises LogUnavailable.
        """
        return {}

    def other_sites(self, groups: Iterable[str]) -> list[str]:
        """A sentence with the remedy for each of these groups that another site reads as well."""
        return []

    @abstractmethod
    def consumer(self, topics: Iterable[str], group: str | None = None) -> Consumer:
        """A reader. Without a group it reads every partition and leaves no trace."""

    @abstractmethod
    def wait(self, seen: int, seconds: float) -> None:
        """Return when there may be more to fetch, or after so long."""

    @abstractmethod
    def seen(self) -> int:
        """Note it before a fetch and give it to `wait` after: what came in between ends the wait at once."""

    @abstractmethod
    def wake(self) -> None:
        """End every wait of this process at once, so that whoever was asked to leave sees it."""

    def refuse_settings(self) -> None:
        """Raise ImproperlyConfigured when it could not work as it is set. Asks nobody, and takes milliseconds."""
        return

    def exposed(self) -> str:
        """Why others than the site can write into the log, as it is set; empty where they cannot."""
        return ""

    def provision(self, topics: Iterable[str]) -> list[str]:
        """Make the topics that are missing; which they were. A log that needs none made does nothing."""
        return []

    @abstractmethod
    def reset(self) -> None:
        """Forget what is kept in memory. For tests, and after a broken world."""


@lru_cache(maxsize=KEYS_REMEMBERED)
def partition_of(key: str, partitions: int) -> int:
    """Which partition a key's records lie in.

    As Kafka's clients have it, so that a key stays in its partition when a site moves to Kafka and back: a group's
    counts and a key's parked events are by partition.
    """
    return (_murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    """Austin Appleby's hash of 32 bits, with the seed that Kafka's Java client has (`Utils.murmur2`)."""
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
