"""Create the progress of groups: where a new group begins, and where a known one begins in a new topic or partition."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import Max

from eventbus import clock, failpoints
from eventbus.backends import outbox_offsets
from eventbus.backends.base import Backend, TopicPartition, partition_of
from eventbus.database import leases
from eventbus.database.leases import RELAY
from eventbus.errors import BusError, LogUnavailable
from eventbus.models import ConsumerGroup, Effect, InboxRow, OutboxRow, ParkedKey, Progress, ReplayRun, TopicLog
from eventbus.progress import groups, inbox, log_generations
from eventbus.registry import Group, Start

TRIES_MAX = 3  # to create a group takes milliseconds, and no log is filled again so often


class _Begin(NamedTuple):
    """The offset at which a group begins in a partition, and the first offset that the log has at that time.

    `start`: as the group declares it. None for a partition that was added to a topic which the group already reads.
    """

    offset: int = 0
    log_began: int = 0
    start: Start | None = None


def ensure(backend: Backend, wanted: Iterable[Group]) -> None:
    """Create the missing progress rows of groups. A new group, or a topic new to it, begins at the log's present end.

    With `start="earliest"` it begins at the first event that outbox or log still have. A partition that was added to a
    topic the group already reads begins at 0: the relay may have appended to it before. Raises BusError if a partition
    was removed and events in it still wait for the group, and LogUnavailable if the logs are filled again meanwhile.
    """
    wanted = list(wanted)
    for _ in range(TRIES_MAX):
        logs = [groups.fillings(group) for group in wanted]
        # The brokers are asked before the transaction: unavailable ones take ten seconds to fail, and on SQLite nobody
        # could write meanwhile.
        begins = {group.name: _begins(backend, group) for group in wanted}
        with failpoints.atomic("groups.ensure"):
            if topics := {one.topic for by_partition in begins.values() for one in by_partition}:
                leases.hold(RELAY)  # so that no relay appends or marks a row meanwhile
                log_generations.lock(topics)
            if logs == [groups.fillings(group) for group in wanted]:  # else the offsets may be of a log before
                for name, by_partition in begins.items():
                    _create(name, by_partition)
                return
    raise LogUnavailable(f"the logs of {', '.join(group.name for group in wanted)} are being filled again")


def _create(name: str, begins: Mapping[TopicPartition, _Begin]) -> None:
    # Locked: another process may make the group as well, or close it.
    ConsumerGroup.objects.select_for_update().get_or_create(name=name, defaults={"created_at": clock.now()})
    begun = _offsets(name)  # another process may have created rows since `_begins` ran
    known = {one.topic for one in begun}
    new = {one: _Begin() if one.topic in known else begin for one, begin in begins.items() if one not in begun}
    topics = sorted({one.topic for one in new} - known)
    _forget_closed(name, topics, anew=not begun)
    ignored = Counter[TopicPartition]()
    for log in TopicLog.objects.filter(topic__in=topics, refill_to__gt=0):
        here = [one for one, begin in new.items() if one.topic == log.topic and begin.start == "latest"]
        if here:
            new |= _begin_amid_refill(log.topic, {one: new[one] for one in here})
            ignored += _ignore_unsent(name, log, len(here))
    Progress.objects.bulk_create(_progress(name, one, begin, ignored[one]) for one, begin in new.items())


def _forget_closed(name: str, topics: Collection[str], *, anew: bool) -> None:
    """Delete what an interrupted `close` has left of a group of this name, or of these topics: they begin anew."""
    for table in (InboxRow, Effect):
        its = table._default_manager.filter(group=name)
        if not anew:
            its = its.filter(event_id__in=OutboxRow.objects.filter(topic__in=topics).values("event_id"))
        its.delete()
    if anew:
        ReplayRun.objects.filter(group=name).delete()


def _begin_amid_refill(topic: str, begins: Mapping[TopicPartition, _Begin]) -> dict[TopicPartition, _Begin]:
    """Return the begins in a log that is being filled again: behind the rows that have their new offsets.

    The log may end later, because the relay has not noted its last records yet. Those count as unsent.
    """
    appended = outbox_offsets.appended(topic)
    filled = Progress.objects.filter(topic=topic).values_list("partition").annotate(start=Max("start")).order_by()
    starts: dict[int, Any] = dict(filled)  # where the other groups began in the new log
    return {
        one: begin._replace(offset=appended.get(one.partition, starts.get(one.partition, begin.offset)))
        for one, begin in begins.items()
    }


def _ignore_unsent(name: str, log: TopicLog, partitions: int) -> Counter[TopicPartition]:
    """Note in the group's inbox the old events that wait to be appended to a log again. Count them by partition."""
    unsent = OutboxRow.objects.filter(topic=log.topic, offset=None, rejected="", id__lte=log.refill_to)
    found = list(unsent.values_list("event_id", "key"))
    inbox.ignore(name, [event_id for event_id, _ in found])
    return Counter(TopicPartition(log.topic, partition_of(key, partitions)) for _, key in found)


def _progress(name: str, one: TopicPartition, begin: _Begin, ignored: int) -> Progress:
    """Return a new progress row, which the caller saves.

    Call it in the transaction that saves the row. Until then pruning may delete the outbox rows that decide the start.
    """
    kept = outbox_offsets.first(one) if begin.start == "earliest" else None
    offset = begin.offset if kept is None else min(begin.offset, kept)
    return Progress(
        group=name,
        topic=one.topic,
        partition=one.partition,
        start=offset,
        offset=offset,
        log_began=begin.log_began,
        ignored=ignored,
    )


def _begins(backend: Backend, group: Group) -> dict[TopicPartition, _Begin]:
    """Return the begin in each partition in which the group has no progress yet."""
    there = backend.partitions(group.topics)
    known = _offsets(group.name)
    _refuse_lost_partitions(backend, group, known, there)
    topics = {one.topic for one in known}
    begins = {one: _Begin() for one in there if one not in known and one.topic in topics}
    ends = _ends(backend, group, [one for one in there if one.topic not in topics])
    if group.start == "latest":
        return begins | {one: _Begin(end, start="latest") for one, end in ends.items()}
    first = backend.earliest_offsets(ends)
    foreign = {handler.event_type.topic for handler in group.all() if handler.event_type.unsigned_from}
    # Before the outbox's first row, the log of a topic has only records that this group must not read: those of other
    # programs, or copies of events that were appended again when a log was lost. Without these, each key's order holds.
    return begins | {
        one: _Begin(first.get(one, end) if one.topic in foreign else end, first.get(one, 0), start="earliest")
        for one, end in ends.items()
    }


def _ends(backend: Backend, group: Group, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return where each partition ends, in the log or by the outbox, whichever is later.

    A log may have lost its end. If it is not the log to which the stored offsets belong, only the outbox counts: the
    relay will fill that log again, and renumber all that the group has not passed.
    """
    logs, there = groups.fillings(group), backend.generations({one.topic for one in partitions})
    ends = backend.ends(partitions)  # before the outbox is read: a row that is appended meanwhile is in both
    given = {topic: outbox_offsets.given(topic) for topic in {one.topic for one in partitions}}
    known = {topic for topic, (generation, _) in logs.items() if there.get(topic) == generation}
    return {
        one: max(end if one.topic in known or one.topic not in logs else 0, given[one.topic].get(one.partition, 0))
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
