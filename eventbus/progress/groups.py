"""Take over, lock and save the progress of groups."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import cache, reduce
from operator import or_

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import F, Q

from eventbus import clock, failpoints
from eventbus.backends.base import TopicPartition
from eventbus.database import sql
from eventbus.errors import GroupStopped, StaleEpoch
from eventbus.models import ParkedKey, Progress, TopicLog
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
    group: Group,
    assigned: Collection[TopicPartition],
    fence: Callable[[], None],
    *,
    interrupted: Mapping[TopicPartition, int],
) -> dict[TopicPartition, Progress]:
    """Become the owner of these partitions: a former owner can write no more. Return their progress rows.

    `fence` raises if this process may not take partitions over. An attempt that was left running counts as a crash. In
    `interrupted` partitions it does not, because an infrastructure error ended this worker's attempt. That holds only
    while nobody else has owned the partition, so the worker's epoch in each is compared.
    """
    with failpoints.atomic("groups.take_over"):
        fence()
        forgive(group, {one: epoch for one, epoch in interrupted.items() if one in assigned})
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
    """Erase the unfinished attempts of a worker. Something outside ended them, so they are no crashes.

    `epochs`: the worker's epoch in each partition. Partitions with another owner are left alone.
    """
    for partition, epoch in sorted(epochs.items()):
        with transaction.atomic():
            row = Progress.objects.filter(among([partition]), group=group.name, epoch=epoch)
            if row.update(running_event=None, crashes=0):
                ParkedKey.objects.filter(among([partition]), group=group.name).update(running=False)


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
