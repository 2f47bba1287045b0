"""Find the stretches of the log that groups pass over after a restore of the database."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from eventbus.backends.base import TopicPartition
from eventbus.events import Record
from eventbus.recovery import own_outbox_rows


class Lying(NamedTuple):
    """The partition and offset of a record to pass over, its type, and the id of the outbox row that it names."""

    partition: TopicPartition
    offset: int
    type: str
    number: int


def lying(record: Record) -> Lying:
    """Return what is kept of a record: a log may hold many of them."""
    partition = TopicPartition(record.topic, record.partition)
    return Lying(partition, record.offset, record.type, own_outbox_rows.number_of(record))


class Stretch(msgspec.Struct, frozen=True):
    """A range of a partition that groups pass over: how many events of this site it has, and of which types.

    The database has forgotten them, or publishes them again.
    """

    topic: str
    partition: int
    begin: int
    end: int
    events: int
    types: dict[str, int]

    @property
    def span(self) -> tuple[str, int, int, int]:
        """The topic and partition, the begin and the end."""
        return self.topic, self.partition, self.begin, self.end


def stretches(records: Iterable[Lying], ends: Mapping[TopicPartition, int]) -> Iterator[Stretch]:
    """Yield one stretch for each partition with such records, up to the end of what was read there."""
    offsets, types = defaultdict[TopicPartition, list[int]](list), defaultdict[TopicPartition, Counter[str]](Counter)
    for one in records:
        offsets[one.partition].append(one.offset)
        types[one.partition][one.type] += 1
    for partition, found in sorted(offsets.items()):
        yield Stretch(*partition, min(found), ends[partition], len(found), dict(sorted(types[partition].items())))
