"""Create, take over, lock and save the progress of groups."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import cache, reduce
from operator import or_
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import F, Q

from eventbus import clock, failpoints
from eventbus.backends import outbox_offsets
from eventbus.backends.base import Backend, TopicPartition
from eventbus.database import sql
from eventbus.errors import BusError, GroupStopped, StaleEpoch
from eventbus.models import ConsumerGroup, ParkedKey, Progress, TopicLog
from eventbus.registry import Group

# SQL conditions on the table of groups. While a divergence is recorded (the database was restored), all groups count as
# paused.
DIVERGED = "EXISTS (SELECT 1 FROM eventbus_divergence)"
PAUSED = f"(paused_at IS NOT NULL OR {DIVERGED})"
STOPPED = f"({PAUSED} OR breaker_opened_at IS NOT NULL)"
# Why a stopped group is stopped: an SQL expression on the same table, for `stopped_by`.
REASON = f"CASE WHEN {DIVERGED} THEN 'diverged' WHEN paused_at IS NOT NULL THEN 'paused' ELSE 'breaker' END"
_FIELDS = [field.attname for field in Progress._meta.concrete_fields]
# Raw SQL: it runs for every batch, and for every event of an effect, and Django takes ten times as long.
_HOLD = """
    SELECT {columns}, (SELECT {reason} FROM eventbus_consumergroup WHERE name = %b AND {unless}), {limit}
    FROM eventbus_progress WHERE "group" = %b AND topic = %b AND partition = %b {lock}
"""
# Limits each further statement of the transaction, if the session has no limit of its own. It costs no round trip.
_LIMIT = """
    CASE WHEN current_setting('statement_timeout') = '0'
    THEN set_config('statement_timeout', '{milliseconds}', true) END
"""
_SAVE = """
    UPDATE eventbus_progress
    SET moved_at = CASE WHEN log_offset = %b THEN moved_at ELSE %b END,
        log_offset = %b, handled = %b, ignored = %b, discarded = %b, running_event = %b, crashes = %b WHERE id = %b
"""


def ensure(backend: Backend, wanted: Iterable[Group]) -> None:
    """Create the missing progress rows of groups. A new group, or a topic new to it, begins at the log's present end.

    With `start="earliest"` it begins at the first event that outbox or log still have. A partition that was added to a
    topic the group already reads begins at 0: the relay may have appended to it before. Raises BusError if a partition
    was removed and events in it still wait for the group.
    """
    # The brokers are asked before the transaction: unavailable ones take ten seconds to fail, and on SQLite nobody
    # could write meanwhile.
    begins = {group.name: _begins(backend, group) for group in wanted}
    with failpoints.atomic("groups.ensure"):
        for name, by_partition in begins.items():
            ConsumerGroup.objects.get_or_create(name=name, defaults={"created_at": clock.now()})
            begun = _offsets(name)  # another process may have created rows since `_begins` ran
            topics = {one.topic for one in begun}
            Progress.objects.bulk_create(
                _progress(name, one, _Begin(0, 0) if one.topic in topics else begin)
                for one, begin in by_partition.items()
                if one not in begun
            )


class _Begin(NamedTuple):
    """The offset at which a group begins in a partition, and the first offset that the log has at that time."""

    offset: int
    log_began: int
    earliest: bool = False  # True: at the first event of the partition in the outbox, if that is before `offset`


def _progress(name: str, one: TopicPartition, begin: _Begin) -> Progress:
    """Return a new progress row, which the caller saves.

    Call it in the transaction that saves the row. Until then pruning may delete the outbox rows that decide the start.
    """
    kept = outbox_offsets.first(one) if begin.earliest else None
    offset = begin.offset if kept is None else min(begin.offset, kept)
    return Progress(
        group=name, topic=one.topic, partition=one.partition, start=offset, offset=offset, log_began=begin.log_began
    )


def _begins(backend: Backend, group: Group) -> dict[TopicPartition, _Begin]:
    """Return the begin in each partition in which the group has no progress yet."""
    there = backend.partitions(group.topics)
    known = _offsets(group.name)
    _refuse_lost_partitions(backend, group, known, there)
    topics = {one.topic for one in known}
    begins = {one: _Begin(0, 0) for one in there if one not in known and one.topic in topics}
    ends = backend.ends([one for one in there if one.topic not in topics])
    if group.start == "latest":
        return begins | {one: _Begin(end, 0) for one, end in ends.items()}
    first = backend.earliest_offsets(ends)
    foreign = {handler.event_type.topic for handler in group.all() if handler.event_type.unsigned_from}
    # Before the outbox's first row, the log of a topic has only records that this group must not read: those of other
    # programs, or copies of events that were appended again when a log was lost. Without these, each key's order holds.
    return begins | {
        one: _Begin(first.get(one, end) if one.topic in foreign else end, first.get(one, 0), earliest=True)
        for one, end in ends.items()
    }


def _offsets(name: str) -> dict[TopicPartition, int]:
    """Return the group's offset in each partition in which it has begun."""
    rows = Progress.objects.filter(group=name).values_list("topic", "partition", "offset")
    return {TopicPartition(topic, partition): offset for topic, partition, offset in rows}


def _refuse_lost_partitions(
    backend: Backend, group: Group, known: Mapping[TopicPartition, int], there: Collection[TopicPartition]
) -> None:
    for one, offset in known.items():
        if one.topic in group.topics and one not in there and _waits(backend, group.name, one, offset):
            raise BusError(
                f"Group {group.name} has not handled all of {one.topic}/{one.partition}, which is no longer read: "
                "set EVENTBUS_PARTITIONS back to what it was until it has"
            )


def _waits(backend: Backend, name: str, partition: TopicPartition, offset: int) -> bool:
    """Return True if the group has not handled all events of a partition: some are ahead in the log, or parked."""
    if offset < backend.end(partition):
        return True
    return ParkedKey.objects.filter(group=name, topic=partition.topic, partition=partition.partition).exists()


def refuse_moved_keys(backend: Backend, topic: str) -> None:
    """Raise BusError unless all groups have handled all of a topic that a setting gives more partitions.

    With more partitions, a key's next event may be in another one than its earlier events, and be handled before them.
    """
    for row in Progress.objects.filter(topic=topic).order_by("group", "partition"):
        if _waits(backend, row.group, TopicPartition(topic, row.partition), row.offset):
            raise BusError(
                f"Group {row.group} has not handled all of {topic}/{row.partition}, and more partitions would move "
                "keys away from there: set EVENTBUS_PARTITIONS back to what it was until it has, or close a group "
                f"that is gone for good (manage.py eventbus close {row.group})"
            )


def missing_partitions(group: Group, partitions: Collection[TopicPartition]) -> bool:
    """Return True if the group has no progress yet in one of these, which was added after the group was `ensure`d."""
    return Progress.objects.filter(among(partitions), group=group.name).count() < len(set(partitions))


def lost(group: Group, epochs: Mapping[TopicPartition, int], reached: Mapping[TopicPartition, int]) -> bool:
    """Return True if another worker owns one of these partitions now, or the stored offset went back in one.

    `epochs`: the worker's epoch in each partition. `reached`: the group's highest offset that the worker knows.
    """
    if not epochs:
        return False
    rows = Progress.objects.filter(among(epochs), group=group.name)
    return any(
        epochs.get(partition := TopicPartition(topic, number), epoch) != epoch or offset < reached.get(partition, 0)
        for topic, number, epoch, offset in rows.values_list("topic", "partition", "epoch", "offset")
    )


def fillings(group: Group) -> dict[str, tuple[str, datetime]]:
    """Return for each topic of the group the name of its known log, and since when it is known.

    A log that is filled again may keep its name. Then only the time tells it from the log before.
    """
    rows = TopicLog.objects.filter(topic__in=group.topics).values_list("topic", "generation", "noted_at")
    return {topic: (generation, noted_at) for topic, generation, noted_at in rows}


def take_over(
    group: Group, assigned: Collection[TopicPartition], fence: Callable[[], None], *, forgive: bool
) -> dict[TopicPartition, Progress]:
    """Become the owner of these partitions: a former owner can write no more. Return their progress rows.

    `fence` raises if this process may not take partitions over. A retry that was left running counts as a crash. With
    `forgive` it does not, and no other attempt does: an infrastructure error ended them.
    """
    with failpoints.atomic("groups.take_over"):
        fence()
        if forgive:
            _erase_running(group, among(assigned))
        rows = Progress.objects.filter(among(assigned), group=group.name)
        rows.update(epoch=F("epoch") + 1)
        parked = ParkedKey.objects.filter(among(assigned), group=group.name, running=True)
        parked.update(running=False, crashes=F("crashes") + 1)
        return {TopicPartition(row.topic, row.partition): row for row in rows}


def release(group: Group, epochs: Mapping[TopicPartition, int]) -> None:
    """Record that this worker leaves these partitions with no attempt unfinished.

    The next owner looks for no crash there. `epochs`: the worker's epoch in each. Rows with another owner or an
    unfinished event are left alone. Each partition has its own transaction: in a common one, locks of several workers
    could deadlock.
    """
    for partition, epoch in epochs.items():
        with failpoints.atomic("groups.release"):
            ours = Progress.objects.filter(among([partition]), group=group.name, epoch=epoch, running_event=None)
            ours.update(released=epoch)


def forgive(group: Group, epochs: Mapping[TopicPartition, int]) -> None:
    """Erase the unfinished attempts of a worker that leaves. Something outside ended them, so they are no crashes.

    `epochs`: the worker's epoch in each partition. Partitions with another owner are left alone.
    """
    for partition, epoch in epochs.items():
        with transaction.atomic():
            row = Progress.objects.select_for_update().filter(among([partition]), group=group.name, epoch=epoch)
            if row.first() is not None:
                _erase_running(group, among([partition]))


def _erase_running(group: Group, where: Q) -> None:
    Progress.objects.filter(where, group=group.name).update(running_event=None, crashes=0)
    ParkedKey.objects.filter(where, group=group.name).update(running=False)


def among(partitions: Iterable[TopicPartition]) -> Q:
    """Return the filter for rows in these partitions."""
    ones = set(partitions)
    topics, numbers = {one.topic for one in ones}, {one.partition for one in ones}
    if len(ones) == len(topics) * len(numbers):  # all partitions of each topic: two lists instead of many pairs
        return Q(topic__in=sorted(topics), partition__in=sorted(numbers))
    return reduce(or_, (Q(topic=one.topic, partition=one.partition) for one in ones))


def lock_progress(group: Group, partition: TopicPartition, *, unless: str = "") -> Progress:
    """Lock the group's progress in a partition for the rest of the transaction, whoever owns it.

    `unless`: an SQL condition under which GroupStopped is raised. A caller that begins new work passes STOPPED, or
    PAUSED for work that an open circuit breaker allows. A caller that ends some work passes none, so that the work is
    not left half done.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    names = [group.name, group.name, partition.topic, partition.partition]
    found = sql.fetch(connection, _hold(connection.vendor, unless, group.seconds), names)
    if not found:
        raise StaleEpoch(f"{group.name} has no progress in {partition.topic}/{partition.partition} any more")
    *values, stopped, _limited = found[0]
    if stopped:
        raise stopped_by(stopped, group.name)
    row = Progress.from_db(connection.alias, _FIELDS, values)
    row.running_event = row.running_event and sql.uuid_of(row.running_event)
    return row


@cache
def _hold(vendor: str, unless: str, seconds: float) -> str:
    postgresql = vendor == "postgresql"
    limit = _LIMIT.format(milliseconds=math.ceil(seconds * 1000)) if postgresql else "NULL"
    columns = ", ".join(f'"{field.column}"' for field in Progress._meta.concrete_fields)
    lock = "FOR UPDATE" if postgresql else ""
    return _HOLD.format(columns=columns, reason=REASON, unless=unless or "1 = 0", limit=limit, lock=lock)


def stopped_by(reason: str, group: str) -> GroupStopped:
    """Return the error to raise for a stopped group. `reason` is a value of the SQL expression REASON."""
    texts = {
        "diverged": f"Group {group} stands still: the database was restored (manage.py eventbus restored)",
        "paused": f"Group {group} is paused (manage.py eventbus resume {group})",
        "breaker": f"The circuit breaker of group {group} is open",
    }
    return GroupStopped(texts[reason])


def save(progress: Progress) -> None:
    """Store the group's progress, in the transaction that holds the row."""
    connection = connections[DEFAULT_DB_ALIAS]
    running = progress.running_event and sql.uuid_value(connection, progress.running_event)
    moved = [progress.offset, sql.time_value(connection, clock.now())]
    counts = [progress.offset, progress.handled, progress.ignored, progress.discarded]
    sql.execute(connection, _SAVE, [*moved, *counts, running, progress.crashes, progress.id])


def lock(group: Group, partition: TopicPartition, epoch: int, *, unless: str = "") -> Progress:
    """Lock as `lock_progress` does, for a worker that owns the partition. Raises StaleEpoch when another does now."""
    row = lock_progress(group, partition, unless=unless)
    if row.epoch != epoch:
        raise StaleEpoch(f"{group.name} {partition.topic}/{partition.partition} has another owner")
    return row
