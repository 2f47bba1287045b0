"""The desired shape of topics on brokers, as declared beside their events, or by default as the settings say."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Protocol

import msgspec

from eventbus.backends.broker_settings import BrokerSettings
from eventbus.backends.log_description import LogDescription

# Brokers keep a record for this time. Groups read the log and not the outbox, so a group may stop for as long, for
# example over a long weekend. Rows of outbox and inbox stay while the log still has their record, so a longer time also
# makes these tables longer.
RETENTION = timedelta(days=7)
# `max.message.bytes`: the brokers must take the largest event (`EVENT_BYTES_MAX`) with its key, its headers and room to
# grow. This is Kafka's default; a larger value does no harm.
RECORD_BYTES_MIN = 1_048_588
AT_LEAST = {"max.message.bytes"}  # settings that may also be higher than declared


class TopicSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of a topic, as declared or as found on the brokers. `configs`: its settings by Kafka's names."""

    partitions: int
    replication: int
    configs: dict[str, str]


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """The declaration of one topic. None stands for the default from the settings."""

    partitions: int | None = None
    replication: int | None = None
    min_insync_replicas: int | None = None
    retention: timedelta = RETENTION


declared: dict[str, Declared] = {}


def declare_topic(
    topic: str,
    *,
    partitions: int | None = None,
    replication: int | None = None,
    min_insync_replicas: int | None = None,
    retention: timedelta = RETENTION,
) -> None:
    """Declare a topic's needs beside its events. `manage.py eventbus topics --apply` applies them.

    `partitions`: their number, which limits the workers of a group; default EVENTBUS_PARTITIONS. `replication`: the
    copies of each record, default KAFKA_REPLICATION; it needs as many brokers. `min_insync_replicas`: the copies that
    must exist before an event is acknowledged; default one less than `replication`, at least 1. `retention`: how long
    brokers keep a record. The in-memory log has no brokers, and ignores all of these.
    """
    declared[topic] = Declared(
        partitions=partitions,
        replication=replication,
        min_insync_replicas=min_insync_replicas,
        retention=retention,
    )


def wanted(topic: str, *, partitions: int, replication: int) -> TopicSpec:
    """Return the desired shape of a topic. `partitions` and `replication` are the defaults from the settings."""
    own = declared.get(topic, Declared())
    copies = own.replication or replication
    one_away = max(1, copies - 1)  # one broker may be down, and no acknowledged event is lost
    return TopicSpec(
        partitions=own.partitions or partitions,
        replication=copies,
        configs={
            "cleanup.policy": "delete",  # a compacted topic would lose all but the newest event of each key
            "max.message.bytes": str(RECORD_BYTES_MIN),
            "min.insync.replicas": str(own.min_insync_replicas or one_away),
            "retention.bytes": "-1",  # else a busy day would delete records before their time is over
            "retention.ms": str(own.retention // timedelta(milliseconds=1)),
            "unclean.leader.election.enable": "false",  # else a leader may lack, and so lose, acknowledged events
        },
    )


class Topics(Protocol):
    """The topics of a log on brokers. All methods raise LogUnavailable."""

    def name(self, topic: str) -> str:
        """Return the topic's name on the brokers."""

    def wanted(self, topic: str) -> TopicSpec:
        """Return the topic's shape as declared."""

    def found(self, topics: Collection[str]) -> dict[str, TopicSpec | None]:
        """Return each topic's shape on the brokers; None if the topic is missing."""

    def settings(self, topics: Collection[str]) -> BrokerSettings:
        """Return all settings of a broker and of these topics. Waits for some seconds at most."""

    def counts(self, topics: Collection[str], seconds: float = ...) -> dict[str, int]:
        """Return the number of partitions of each existing topic."""

    def describe(self, topics: Collection[str], seconds: float) -> LogDescription:
        """Return the brokers and the existing topics, with their partitions, within so many seconds."""

    def make(self, topics: Collection[str]) -> list[str]:
        """Make the topics that are missing, and return them."""

    def add_partitions(self, topic: str, partitions: int) -> None:
        """Add partitions to the topic, so that it has so many in all."""

    def configure(self, topic: str, configs: Mapping[str, str]) -> None:
        """Change these settings of the topic, and leave all others."""


class Difference(msgspec.Struct, kw_only=True):
    """A difference between a topic and its declaration. `remedy` is empty if `--apply` repairs it."""

    topic: str
    what: str
    found: str
    declared: str
    remedy: str = ""
    applied: bool = False

    def __str__(self) -> str:
        return f"{self.topic}: {self.what} is {self.found}, declared is {self.declared}. {self.remedy}".rstrip()


FEWER = (
    "Kafka cannot take partitions away, and the events in them would be lost: declare as many as there are "
    "(EVENTBUS_PARTITIONS, or declare_topic beside the events)."
)
MORE = (
    "More partitions move keys: an event may then be handled before an older one of its key, which still lies in "
    "another partition. So: stop the relay (what is published waits in the outbox), let every group handle all that "
    "lies in the topic, run this with --apply --add-partitions, which looks whether that is so, and start it again."
)
UNUSED = (
    "Somebody added partitions with Kafka's own tools. Keys stay where they are, and nothing of ours is put into the "
    "others; what other programs put there is not read. Kafka cannot take them away: declare as many as there are "
    "(EVENTBUS_PARTITIONS, or declare_topic beside the events), and lead them in."
)
MADE_OTHERWISE = "Somebody else made it in this moment, and not as declared: run this again."
COPIES = "Kafka moves copies with kafka-reassign-partitions.sh; this command does not."
NOT_ENOUGH_COPIES = "Not before the topic has more copies: nothing could be appended."


def differences(topic: str, found: TopicSpec | None, wanted: TopicSpec, used: int | None = None) -> list[Difference]:
    """Return a topic's differences, in the order in which they are repaired.

    `used`: its partitions into which keys go.
    """

    def differs(what: str, found: object, declared: object, remedy: str = "") -> Difference:
        return Difference(topic=topic, what=what, found=str(found), declared=str(declared), remedy=remedy)

    if found is None:
        return [differs("topic", "missing", f"{wanted.partitions} partitions, {wanted.replication} copies")]
    told = []
    used = min(used or found.partitions, found.partitions)
    if used != wanted.partitions:
        more = wanted.partitions > used
        told.append(differs("partitions", used, wanted.partitions, MORE if more else FEWER))
    if found.partitions > max(used, wanted.partitions):
        told.append(differs("partitions on the brokers", found.partitions, wanted.partitions, UNUSED))
    if found.replication != wanted.replication:
        told.append(differs("replication", found.replication, wanted.replication, COPIES))
    for name, value in wanted.configs.items():
        if not _suits(name, found.configs.get(name), value):
            hopeless = name == "min.insync.replicas" and int(value) > found.replication
            told.append(differs(name, found.configs.get(name), value, NOT_ENOUGH_COPIES if hopeless else ""))
    return told


def _suits(name: str, found: str | None, declared: str) -> bool:
    if name in AT_LEAST and found is not None:
        return int(found) >= int(declared)
    return found == declared


def apply(log: Topics, found: Collection[Difference], *, add_partitions: bool) -> None:
    """Repair the differences, and mark the repaired ones. Partitions are added only if asked for.

    Raises LogUnavailable.
    """
    missing = [one for one in found if one.what == "topic"]
    made = log.make([one.topic for one in missing])
    for one in found:
        if one in missing:
            one.applied = one.topic in made or _is_as_declared(log, one.topic)
            one.remedy = "" if one.applied else MADE_OTHERWISE
        elif one.remedy == MORE and add_partitions:
            if log.counts([one.topic])[one.topic] < int(one.declared):
                log.add_partitions(one.topic, int(one.declared))
            one.applied = True
        elif not one.remedy:
            log.configure(one.topic, {one.what: one.declared})
            one.applied = True


def _is_as_declared(log: Topics, topic: str) -> bool:
    return not differences(topic, log.found([topic])[topic], log.wanted(topic))
