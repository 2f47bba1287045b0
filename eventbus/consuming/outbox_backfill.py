"""Read from the outbox the records that the log deleted before a consumer group read them.

The brokers' retention may be shorter than a group's lag. Somebody may also delete records or have a topic compacted.
Then the log continues beyond the group's offset. The outbox has the offset of each event of this site. So missing
events are handled at their own offsets, before the log continues, and each key's order stays. Records that the outbox
lacks as well are lost for the group, and are recorded for an operator (`recovery.lost_records`).
"""

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from django.db import transaction
from django.db.models import QuerySet

from eventbus.backends import outbox_offsets
from eventbus.backends.base import Backend, Consumer, TopicPartition
from eventbus.errors import LogUnavailable
from eventbus.events import Record
from eventbus.models import ForgottenSpan, OutboxRow, Progress, TopicLog
from eventbus.progress import groups, log_generations
from eventbus.progress.partition_epochs import PartitionEpochs
from eventbus.publishing import rejected_records
from eventbus.recovery import lost_records

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between checks for outbox rows whose records the log does not return


class _Gap(msgspec.Struct):
    """A range of offsets that the log has deleted, to be read from the outbox. `next`: the offset to read next.

    `relayed`: the last unsent outbox row when the gap was found. `known`: all these rows have been sent, so what is
    lost in the gap is known.
    """

    next: int
    end: int
    relayed: int | None = None
    known: bool = False


class _Hole(NamedTuple):
    """Offsets missing in the log, before the fetched record with index `before`."""

    before: int
    begin: int
    end: int


class Backfill:
    """Reads the log for one worker, and the outbox where the log has a gap. Belongs to the worker's thread."""

    def __init__(self, epochs: PartitionEpochs, backend: Backend) -> None:
        self._epochs, self._backend = epochs, backend
        self._next: dict[TopicPartition, int] = {}  # the offset at which the log continues
        self._gaps: dict[TopicPartition, _Gap] = {}
        self._owed: dict[TopicPartition, int] = {}  # the values of `_next` from which on the outbox had rows lately
        self._looked = time.monotonic()
        self._asked: dict[TopicPartition, float] = {}  # when the log was last asked for its first offset
        self._turn = False  # whether to read the outbox first: outbox and log take turns
        self.moved = 0  # how many gaps were found or closed

    def begin(self, consumer: Consumer, progress: Mapping[TopicPartition, Progress]) -> None:
        """Read these partitions from the group's offsets on. Raises LogUnavailable."""
        first = self._begins(progress)
        for partition, row in progress.items():
            self._gaps.pop(partition, None)
            if first.get(partition, 0) > row.offset:
                self._open(consumer, partition, row.offset, first[partition])
            else:
                self._seek(consumer, partition, row.offset)

    def _begins(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the log's first offsets, asking for each at most once in LOOK_SECONDS.

        Partitions asked for lately are left out. After an outage all workers begin again, and would ask too often.
        """
        now = time.monotonic()
        asked = [
            partition for partition in partitions if now - self._asked.get(partition, float("-inf")) >= LOOK_SECONDS
        ]
        first = self._backend.earliest_offsets(asked)
        self._asked |= dict.fromkeys(asked, now)
        return first

    def fetch(self, consumer: Consumer, records_max: int) -> list[Record]:
        """Return the next records of one partition. Raises LogUnavailable, StaleEpoch."""
        if self._backend.in_process:
            return consumer.fetch(records_max)
        self._turn = not self._turn
        if self._turn and (found := self._from_outbox(consumer, records_max)):
            return found
        return self._from_log(consumer, records_max) or self._from_outbox(consumer, records_max)

    def put_back(self, consumer: Consumer, records: list[Record]) -> None:
        """Let the next `fetch` return these records again."""
        partition, offset = TopicPartition(records[0].topic, records[0].partition), records[0].offset
        if partition in self._gaps:
            self._gaps[partition].next = offset
        else:
            self._seek(consumer, partition, offset)

    def look(self, consumer: Consumer) -> None:
        """Every LOOK_SECONDS, check if the outbox has rows whose records the log does not return.

        Deleted records are noticed when the log returns a later one. A log whose records were all deleted returns none.
        """
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        before = self._owed
        self._owed = {partition: at for partition, at in self._next.items() if self._is_owed(partition, at)}
        still = [partition for partition, at in self._owed.items() if before.get(partition) == at]
        try:
            first = self._backend.earliest_offsets(still) if still else {}
            log_generations.refuse_others(self._backend, self._epochs.group, {partition.topic for partition in still})
        except LogUnavailable as error:
            logger.info("It is not known whether the log still has all: %s", error)
            return
        for partition, begin in first.items():
            if begin > self._next[partition]:
                self._open(consumer, partition, self._next[partition], begin)

    def _is_owed(self, partition: TopicPartition, at: int) -> bool:
        if partition not in self._epochs.owned or partition in self._gaps:
            return False
        rows = OutboxRow.objects.filter(topic=partition.topic, partition=partition.partition, offset__gte=at)
        return rows.exists()

    def _seek(self, consumer: Consumer, partition: TopicPartition, offset: int) -> None:
        self._next[partition] = offset
        consumer.seek(partition, offset)

    def _open(self, consumer: Consumer, partition: TopicPartition, begin: int, end: int) -> None:
        logger.warning(
            "Group %s stands at %s of %s/%s, and the log has let go of what lay before %s: that comes from the outbox",
            self._epochs.group.name,
            begin,
            partition.topic,
            partition.partition,
            end,
        )
        consumer.withhold(partition)
        self._gaps[partition] = _Gap(begin, end)
        self.moved += 1

    def _from_log(self, consumer: Consumer, records_max: int) -> list[Record]:
        records = consumer.fetch(records_max)
        if not records:
            return records
        partition = TopicPartition(records[0].topic, records[0].partition)
        if partition in self._gaps:
            return []  # they are fetched again once the gap before them is closed
        holes = list(_holes(records, self._next.get(partition, records[0].offset)))
        if (lack := self._lack(partition, records, holes)) is None:
            self._next[partition] = max(records[-1].offset + 1, self._next.get(partition, 0))
            return records
        self._next[partition] = lack.begin
        if lack.before:
            consumer.seek(partition, lack.end)  # first return the records before the hole
        else:
            log_generations.refuse_others(self._backend, self._epochs.group, {partition.topic})
            self._open(consumer, partition, lack.begin, lack.end)
        return records[: lack.before]

    def _lack(self, partition: TopicPartition, records: Sequence[Record], holes: Sequence[_Hole]) -> _Hole | None:
        """Return the first of these holes in which records are missing, or None.

        Kafka's transaction markers also take offsets, so they leave holes in which no record is missing. A program that
        uses transactions may cause such a hole after each record. So outbox and brokers are queried once for all holes.
        """
        if not holes:
            return None
        theirs = _rows(partition, holes[0].begin, holes[-1].end).exclude(offset__in=[one.offset for one in records])
        missing = theirs.order_by("offset").values_list("offset", flat=True).first()
        if missing is not None and missing < holes[0].end:
            return holes[0]
        first = self._backend.earliest_offsets([partition]).get(partition, 0)
        for hole in holes:
            if hole.begin < first or (missing is not None and missing < hole.end):
                return hole
        return None

    def _from_outbox(self, consumer: Consumer, records_max: int) -> list[Record]:
        for partition, gap in list(self._gaps.items()):
            if partition not in self._epochs.owned:
                del self._gaps[partition]
            elif gap.known or self._know(partition, gap):
                if records := outbox_offsets.read(partition, gap.next, records_max, end=gap.end):
                    self._gaps[partition] = self._gaps.pop(partition)  # to the end of the dict: partitions take turns
                    gap.next = records[-1].offset + 1
                    return records
                self._close(consumer, partition, gap)
        return []

    def _know(self, partition: TopicPartition, gap: _Gap) -> bool:
        """Store which records of the gap are lost.

        Return False while rows that may belong into it have no offset yet.
        """
        if gap.end - gap.next > _rows(partition, gap.next, gap.end).count():
            unsent = OutboxRow.objects.filter(
                rejected_records.UNSENT, rejected_records.not_behind(), topic=partition.topic
            ).order_by("id")
            if gap.relayed is None:
                gap.relayed = unsent.values_list("id", flat=True).last() or 0
            if unsent.filter(id__lte=gap.relayed).exists():
                return False
            with transaction.atomic():
                begin = max(gap.next, self._epochs.lock(partition).log_began)
                count = (
                    gap.end - begin - _rows(partition, begin, gap.end).count() - _forgotten(partition, begin, gap.end)
                )
                lost_records.note(self._epochs.group.name, partition, begin, gap.end, count)
        gap.known = True
        return True

    def _close(self, consumer: Consumer, partition: TopicPartition, gap: _Gap) -> None:
        """Close the gap, whose events are all handled, and let the log continue."""
        with transaction.atomic():
            progress = self._epochs.lock(partition)
            progress.offset = max(progress.offset, gap.end)
            groups.save(progress)
            self._epochs.moved(progress)
        del self._gaps[partition]
        self._seek(consumer, partition, gap.end)
        self.moved += 1


def _forgotten(partition: TopicPartition, first: int, last: int) -> int:
    """Count the records in this range that a restored database forgot: those are not lost.

    Only spans recorded since the present log was filled count, because a refilled log uses the same offsets.
    """
    log = TopicLog.objects.filter(topic=partition.topic).first()
    spans = ForgottenSpan.objects.filter(
        topic=partition.topic, partition=partition.partition, begin__lt=last, end__gt=first
    ).order_by("begin")
    if log is not None:
        spans = spans.filter(noted_at__gte=log.noted_at)
    count, at = 0, first
    for begin, end, events in spans.values_list("begin", "end", "events"):
        begin, end = max(begin, at), min(end, last)
        if begin < end:
            count += min(events, end - begin - _rows(partition, begin, end).count())
            at = end
    return count


def _holes(records: Sequence[Record], expected: int) -> Iterator[_Hole]:
    for index, record in enumerate(records):
        if record.offset > expected:
            yield _Hole(index, expected, record.offset)
        expected = max(expected, record.offset + 1)


def refuse_behind(backend: Backend, topic: str) -> None:
    """Raise LogUnavailable while a group must still read rows of this topic from the outbox.

    Call it before rows get new offsets at the log's end. There the group would read them after later events of their
    keys.
    """
    first = backend.earliest_offsets(backend.partitions([topic]))
    for row in Progress.objects.filter(topic=topic).order_by("group", "partition"):
        partition = TopicPartition(topic, row.partition)
        if _rows(partition, row.offset, first.get(partition, 0)).exists():
            raise LogUnavailable(
                f"Group {row.group} has yet to read from the outbox what the log of {topic} has let go of: appended "
                "again, it would come behind later events. Let the group go on, and try again once it has handled that"
            )


def _rows(partition: TopicPartition, begin: int, end: int) -> QuerySet[OutboxRow]:
    rows = OutboxRow.objects.filter(topic=partition.topic, partition=partition.partition)
    return rows.filter(offset__gte=begin, offset__lt=end)
