"""Describe brokers and topics: partitions, copies, offsets, and settings beside those that are declared."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import msgspec
from django.db.models import Max

from eventbus import backends, clock, registry
from eventbus.backends.log_description import (
    BrokerDescription,
    LogDescription,
    PartitionDescription,
    TopicDescription,
)
from eventbus.backends.topics import Difference, TopicSpec, differences
from eventbus.errors import LogUnavailable
from eventbus.events import declared_events
from eventbus.models import Progress, TopicLog
from eventbus.operations import topic_setup

ANSWER_SECONDS = 3.0  # for all questions of the page together: an operator waits no longer for brokers that are away


class Setting(msgspec.Struct, frozen=True):
    """A setting of a topic: on the brokers, as declared, and the remedy if the two differ."""

    name: str
    found: str
    declared: str
    differs: bool
    remedy: str


class TopicReport(msgspec.Struct, frozen=True):
    """A topic as operators see it. `name` is the one on the brokers; `retention` is None without brokers.

    `is_missing`: the brokers do not have it. `is_hidden`: the brokers do not show its settings.
    """

    topic: str
    name: str
    types: list[str]
    groups: list[str]
    partitions: list[PartitionDescription]
    retention: timedelta | None
    settings: list[Setting]
    is_missing: bool
    is_hidden: bool

    @property
    def differs(self) -> bool:
        """True if a setting is not as declared, if a partition lacks a copy, or if the topic is missing."""
        return (
            self.is_missing or any(one.differs for one in self.settings) or any(one.is_short for one in self.partitions)
        )


class LogReport(msgspec.Struct, frozen=True):
    """The log at one time. `unavailable`: why the brokers do not describe it; empty if they do."""

    at: datetime
    has_brokers: bool
    brokers: list[BrokerDescription]
    topics: list[TopicReport]
    unavailable: str


def report() -> LogReport:
    """Return the report on the log, after ANSWER_SECONDS at most. Topics are named even if no broker answers."""
    backend, names = backends.current(), topic_setup.topic_names()
    found, unavailable = LogDescription([], {}), ""
    try:
        found = backend.describe(names, ANSWER_SECONDS)
    except LogUnavailable as error:
        unavailable = str(error)
    used = _partitions_with_keys()
    told = [_topic(name, found, used, is_known=not unavailable) for name in names]
    return LogReport(clock.now(), backend.topics is not None, found.brokers, told, unavailable)


def _partitions_with_keys() -> dict[str, int]:
    """Return, as `outbox_offsets.partitions` does for one topic, the number of partitions into which keys go."""
    last = Progress.objects.order_by().values_list("topic").annotate(last=Max("partition"))
    noted = TopicLog.objects.filter(partitions__isnull=False).values_list("topic", "partitions")
    return {topic: number + 1 for topic, number in last} | {topic: number or 0 for topic, number in noted}


def _topic(topic: str, found: LogDescription, used: Mapping[str, int], *, is_known: bool) -> TopicReport:
    log, here = backends.current().topics, found.topics.get(topic)
    types = sorted({one.wire_type() for one in declared_events() if one.topic == topic})
    wanted = log.wanted(topic) if log and types else None  # without a type it was read in the past
    spec = _spec(here) if here else None
    told = differences(topic, spec, wanted, used.get(topic)) if wanted and spec else []
    return TopicReport(
        topic=topic,
        name=log.name(topic) if log else topic,
        types=types,
        groups=sorted(group.name for group in registry.groups.values() if topic in group.topics),
        partitions=sorted(here.partitions, key=lambda one: one.partition) if here else [],
        retention=_retention(spec),
        settings=list(_settings(spec, wanted, told)) if wanted and spec else [],
        is_missing=log is not None and is_known and here is None,
        is_hidden=log is not None and here is not None and spec is None,
    )


def _spec(found: TopicDescription) -> TopicSpec | None:
    """Return a topic's shape; None if the log has no brokers, or they do not show the settings."""
    if found.configs is None:
        return None
    copies = min((len(one.replicas) for one in found.partitions), default=0)
    return TopicSpec(partitions=len(found.partitions), replication=copies, configs=found.configs)


def _retention(spec: TopicSpec | None) -> timedelta | None:
    """Return how long brokers keep a record; None if they do not say, or keep it for good."""
    text = spec.configs.get("retention.ms", "-1") if spec else "-1"
    return timedelta(milliseconds=int(text)) if int(text) >= 0 else None


def _settings(spec: TopicSpec, wanted: TopicSpec, told: list[Difference]) -> Iterator[Setting]:
    differing = {one.what: one for one in told}
    pairs = {
        "partitions": (spec.partitions, wanted.partitions),
        "replication": (spec.replication, wanted.replication),
        **{name: (spec.configs.get(name, "?"), value) for name, value in wanted.configs.items()},
    }
    for name, (found, declared) in pairs.items():
        one = differing.pop(name, None)
        yield Setting(name, one.found if one else str(found), str(declared), one is not None, one.remedy if one else "")
    for one in differing.values():  # such as partitions that somebody added with Kafka's own tools
        yield Setting(one.what, one.found, one.declared, True, one.remedy)
