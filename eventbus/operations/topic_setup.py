"""Compare the topics of all known events with their declarations, and change them to match."""

from collections.abc import Iterable

import msgspec
from django.db import connection

from eventbus import backends, registry
from eventbus.backends import outbox_offsets
from eventbus.backends.base import TopicPartition
from eventbus.backends.topics import MORE, Difference, TopicSpec, apply, differences
from eventbus.errors import BusError
from eventbus.events import declared_events
from eventbus.models import ParkedKey, Progress, TopicLog
from eventbus.operations import status
from eventbus.progress import log_generations


class TopicSetupRefused(BusError):
    """Partitions are not added to a topic, because a relay runs or events of the topic are under way."""


class TopicStatus(msgspec.Struct, frozen=True):
    """A topic: the ends of its partitions, the event types in it, and the groups that read it.

    For a log on brokers: the topic's `name` there, its settings as `found` (None if it is missing), and their
    `differences` from the declaration.
    """

    topic: str
    ends: list[int]
    types: list[str]
    groups: list[str]
    name: str
    found: TopicSpec | None
    differences: list[Difference]


def topics() -> list[TopicStatus]:
    """Return every topic that an event names or a group has read, sorted. Raises LogUnavailable."""
    backend, names = backends.current(), topic_names()
    log = backend.topics
    found = log.found(names) if log else {}
    migrated = is_migrated()
    there = [topic for topic in names if migrated and (log is None or found[topic] is not None)]
    used = {topic: outbox_offsets.partitions(topic) for topic in there}
    declared = {one.topic for one in declared_events()}  # the others were read in the past
    return [
        TopicStatus(
            topic=topic,
            ends=[backend.end(one) for one in backend.partitions([topic])] if topic in there else [],
            types=sorted({one.wire_type() for one in declared_events() if one.topic == topic}),
            groups=sorted({group.name for group in registry.groups.values() if topic in group.topics}),
            name=log.name(topic) if log else topic,
            found=found.get(topic),
            differences=differences(topic, found[topic], log.wanted(topic), used.get(topic))
            if log and topic in declared
            else [],
        )
        for topic in names
    ]


def mend_topics(found: Iterable[TopicStatus], *, add_partitions: bool) -> None:
    """Change topics to their declarations, as far as possible, and record the outcome in their differences.

    Partitions are added only with `add_partitions`. Raises LogUnavailable. Raises TopicSetupRefused if partitions are
    to be added while a relay runs or events of the topic are under way.
    """
    log = backends.current().topics
    if log is None:
        return
    told = [one for topic in found for one in topic.differences]
    more = [one for one in told if one.remedy == MORE] if add_partitions else []
    for one in more:
        _refuse_under_way(one.topic)
    apply(log, told, add_partitions=bool(more))
    for one in more:
        _put_keys_into(one.topic, int(one.declared))
    backends.current().reset()  # it may have cached the old number of partitions


def _put_keys_into(topic: str, partitions: int) -> None:
    """Put the topic's keys into so many partitions from now on.

    If the topic's log on the brokers is not stored yet, it is stored first, as the relay would.
    """
    backend = backends.current()
    if not TopicLog.objects.filter(topic=topic).exists():
        log_generations.note(topic, backend.generations([topic])[topic])
    outbox_offsets.pin(topic, partitions)


def topic_names() -> list[str]:
    """Return every topic that an event names or a group has read, sorted. Before the first `migrate` no group has."""
    read = Progress.objects.order_by().values_list("topic", flat=True).distinct() if is_migrated() else []
    return sorted({one.topic for one in declared_events()} | set(read))


def is_migrated() -> bool:
    return Progress._meta.db_table in connection.introspection.table_names()


def _refuse_under_way(topic: str) -> None:
    """Raise TopicSetupRefused while a relay runs, or while a group has not handled all events of the topic.

    With more partitions a key's next event may be in another one than its earlier events, and be handled before them.
    """
    if status.is_dispatched():
        raise TopicSetupRefused(f"No partitions are added to {topic} while a relay runs: stop it first.")
    behind = {row.group for row in Progress.objects.filter(topic=topic) if row.offset < _end(row)}
    behind |= set(ParkedKey.objects.filter(topic=topic).values_list("group", flat=True))
    if behind:
        raise TopicSetupRefused(
            f"No partitions are added to {topic} before {', '.join(sorted(behind))} have handled all that lies in it, "
            "what is parked or dead as well: see manage.py eventbus status."
        )


def _end(row: Progress) -> int:
    return backends.current().end(TopicPartition(row.topic, row.partition))
