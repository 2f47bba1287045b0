"""The log as the database knows it: offsets and rejections of outbox rows, and the partitions into which keys go."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import F, Max, QuerySet

from eventbus import clock
from eventbus.backends.base import TopicPartition
from eventbus.database import sql
from eventbus.envelope_texts import sequenced
from eventbus.errors import LeaseLost
from eventbus.events import Record
from eventbus.models import DeadLetter, OutboxRow, ParkedEvent, Progress, TopicLog

_READ = """
    SELECT id, log_offset, key, type, event_id, payload, headers FROM eventbus_outbox
    WHERE topic = %b AND partition = %b AND log_offset >= %b AND log_offset < %b ORDER BY log_offset LIMIT %b
"""
OFFSET_MAX = 2**63 - 1  # more than any log has; both databases keep it
_ALL = """
    UPDATE eventbus_outbox SET partition = appended.partition, log_offset = appended.log_offset, appended_at = %b
    FROM unnest(%b::bigint[], %b::smallint[], %b::bigint[]) AS appended (id, partition, log_offset)
    WHERE eventbus_outbox.id = appended.id AND eventbus_outbox.log_offset IS NULL
"""
_EACH = (
    "UPDATE eventbus_outbox SET appended_at = %b, partition = %b, log_offset = %b WHERE id = %b AND log_offset IS NULL"
)


def note(appended: Sequence[tuple[int, int, int]]) -> None:
    """Store the partition and offset of outbox rows, in the caller's transaction.

    `appended`: (row id, partition, offset). Raises LeaseLost if a row has an offset already: another relay stored it,
    so the caller is no longer the relay.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    now = sql.time_value(connection, clock.now())
    if connection.vendor == "postgresql":
        ids, partitions, offsets = map(list, zip(*appended, strict=True))
        count = sql.execute(connection, _ALL, [now, ids, partitions, offsets])
    else:
        rows = [(now, partition, offset, row_id) for row_id, partition, offset in appended]
        count = sql.execute_many(connection, _EACH, rows)
    if count != len(appended):
        raise LeaseLost("another relay has appended some of these rows")


def given(topic: str, *, moved: bool = False) -> dict[int, int]:
    """Return, by partition, the lowest end that the log can have.

    It is after all offsets that outbox rows have and that groups have passed. With `moved`, a group that has not moved
    does not count. It began at the log's end, and has seen none of the records before.
    """
    progress = Progress.objects.filter(topic=topic, **({"offset__gt": F("start")} if moved else {}))
    ends = dict(progress.values_list("partition").annotate(end=Max("offset")).order_by())
    for partition, end in appended(topic).items():
        ends[partition] = max(ends.get(partition, 0), end)
    return ends


def appended(topic: str) -> dict[int, int]:
    """Return, by partition, the offset after the last outbox row that has one."""
    rows, ends, partition = OutboxRow.objects.filter(topic=topic, offset__isnull=False), {}, -1
    while (row := _last(rows.filter(partition__gt=partition))) is not None:
        partition, offset = row
        ends[partition] = offset + 1
    return ends


def read(partition: TopicPartition, begin: int, records_max: int, *, end: int = OFFSET_MAX) -> list[Record]:
    """Return a partition's records in order from the outbox, even those that the log has deleted."""
    connection = connections[DEFAULT_DB_ALIAS]
    rows = sql.fetch(connection, _READ, [partition.topic, partition.partition, begin, end, records_max])
    event_ids = sql.uuids_of([event_id for _, _, _, _, event_id, _, _ in rows])
    return [
        Record(
            topic=partition.topic,
            partition=partition.partition,
            offset=offset,
            key=key,
            type=wire_type,
            event_id=event_id,
            payload=payload,
            headers=sequenced(headers, row_id),
        )
        for (row_id, offset, key, wire_type, _, payload, headers), event_id in zip(rows, event_ids, strict=True)
    ]


def first(place: TopicPartition) -> int | None:
    """Return the offset of a partition's oldest outbox row; None if there is none."""
    rows = OutboxRow.objects.filter(topic=place.topic, partition=place.partition, offset__isnull=False)
    return rows.order_by("offset").values_list("offset", flat=True).first()


def record_of(row: OutboxRow) -> Record:
    """Return the record of a row that has an offset."""
    assert row.partition is not None and row.offset is not None
    return Record(
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        key=row.key,
        type=row.type,
        event_id=row.event_id,
        payload=bytes(row.payload),
        headers=sequenced(row.headers, row.id),
    )


def passed(topic: str, partition: int) -> int:
    """Return the highest offset of a group in a partition. That group would miss a record appended before it."""
    rows = Progress.objects.filter(topic=topic, partition=partition)
    return int(rows.aggregate(offset=Max("offset"))["offset"] or 0)


def partitions(topic: str) -> int | None:
    """Return the number of partitions into which the topic's keys go; None if the topic was never used."""
    noted = TopicLog.objects.filter(topic=topic).values_list("partitions", flat=True).first()
    if noted is not None:
        return noted
    last = Progress.objects.filter(topic=topic).aggregate(last=Max("partition"))["last"]
    return None if last is None else int(last) + 1


def pin(topic: str, partitions: int) -> None:
    """Put the topic's keys into so many partitions from now on."""
    TopicLog.objects.filter(topic=topic).update(partitions=partitions)


def _last(rows: QuerySet[OutboxRow]) -> tuple[int, int] | None:
    """Return the first partition and its last offset, in two steps through the index, however many rows there are."""
    first = rows.order_by("partition", "offset").values_list("partition", flat=True).first()
    if first is None:
        return None
    offset = rows.filter(partition=first).aggregate(last=Max("offset"))["last"]
    return first, int(offset)


def reject(row_id: int, reason: str) -> None:
    """Mark a row that the log will never take as it is now: an operator decides about it."""
    OutboxRow.objects.filter(id=row_id).update(rejected=reason)


def finish(topics: Collection[str]) -> set[str]:
    """Give parked and dead events of refilled topics their new offsets. Return the topics that are not refilled yet.

    A topic is refilled once all its rows up to `refill_to` have offsets or are rejected. All of a topic's events are
    changed in one transaction: a mix of old and new offsets would put a key's events out of order.
    """
    left = set[str]()
    for log in TopicLog.objects.select_for_update().filter(topic__in=topics, refill_to__gt=0).order_by("topic"):
        unsent = OutboxRow.objects.filter(topic=log.topic, offset__isnull=True, rejected="", id__lte=log.refill_to)
        if not unsent.exists():
            for table in (ParkedEvent, DeadLetter):
                _move(table._default_manager.filter(topic=log.topic))
            TopicLog.objects.filter(topic=log.topic).update(refill_to=0)
        else:
            left.add(log.topic)
    return left


def _move(rows: QuerySet[Any]) -> None:
    of = {one.event_id for one in rows.only("event_id")}
    appended = OutboxRow.objects.filter(event_id__in=of, offset__isnull=False)
    for event_id, partition, offset in appended.values_list("event_id", "partition", "offset"):
        rows.filter(event_id=event_id).update(partition=partition, offset=offset)
