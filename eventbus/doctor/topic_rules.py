"""Rules about the topics on the brokers."""

from datetime import timedelta

from eventbus.backends.broker_settings import TopicSettings
from eventbus.backends.topics import RECORD_BYTES_MIN, TopicSpec
from eventbus.doctor.facts import Found, Log, Rule, is_on, kafka, number

APPLY = "Run manage.py eventbus topics --apply."
BROKERS_MIN = 3  # from so many on one can fail, and a topic of several copies can still be written
LAG_FACTOR = 2  # a log that keeps events for less than twice what they wait already leaves no time for a repair
ROOM = timedelta(days=1)  # an event may wait in the outbox for so long before it is appended


def _topic(name: str) -> str:
    return kafka("topicconfigs", name)


MISSING = Rule(
    "topic.missing",
    "Events of the topic wait in the outbox.",
    APPLY,
    "Kafka, Adding topics: https://kafka.apache.org/documentation/#basic_ops_add_topic",
)
PARTITIONS = Rule(
    "topic.partitions",
    "Another number of partitions puts keys into other partitions, where order per key ends.",
    "Follow docs/operations.md, Keys and partitions.",
    "Kafka, Modifying topics: https://kafka.apache.org/documentation/#basic_ops_modify_topic",
)
ONE_COPY = Rule(
    "topic.one-copy",
    "One broken disk loses the events of the topic, although there are other brokers.",
    "Set KAFKA_REPLICATION=3, then move copies with kafka-reassign-partitions.sh.",
    "Kafka, Replication: https://kafka.apache.org/documentation/#replication",
)
COPIES = Rule(
    "topic.copies",
    "The topic survives fewer failures than declared.",
    "Move copies with kafka-reassign-partitions.sh.",
    "Kafka, Expanding your cluster: https://kafka.apache.org/documentation/#basic_ops_increase_replication_factor",
)
IN_SYNC_LOW = Rule(
    "topic.in-sync-low",
    "An event is acknowledged when one broker has it, and lost if that one breaks.",
    APPLY,
    _topic("min.insync.replicas"),
)
IN_SYNC_HIGH = Rule(
    "topic.in-sync-high",
    "Nothing can be appended as soon as one broker is away.",
    "Declare min_insync_replicas one below the copies, and run manage.py eventbus topics --apply.",
    _topic("min.insync.replicas"),
)
COMPACT = Rule(
    "topic.compacted",
    "Compaction deletes all but the newest event of a key, also those that no group has handled yet.",
    APPLY,
    _topic("cleanup.policy"),
)
BYTES = Rule("topic.message-bytes", "The brokers reject the largest events.", APPLY, _topic("max.message.bytes"))
RETENTION = Rule(
    "topic.retention",
    "The brokers delete events while the outbox still promises them for a replay, or before a group that was stopped.",
    APPLY,
    _topic("retention.ms"),
)
RETENTION_LAG = Rule(
    "topic.retention-lag",
    "The log soon deletes events that a group has not handled yet.",
    "Start workers of the groups that are behind, and raise the topic's retention meanwhile.",
    _topic("retention.ms"),
)
RETENTION_BYTES = Rule(
    "topic.retention-bytes", "A busy day deletes events before their time is over.", APPLY, _topic("retention.bytes")
)
UNCLEAN = Rule(
    "topic.unclean-election",
    "A copy that lacks acknowledged events may become the leader, and they are lost.",
    APPLY,
    _topic("unclean.leader.election.enable"),
)
STAMPED = Rule(
    "topic.timestamp-type",
    "A record has the time of its broker, not of its event: a refilled log keeps old events for longer, and the time "
    "since which a group waits is wrong.",
    "Set message.timestamp.type=CreateTime for the topic.",
    _topic("message.timestamp.type"),
)
BOUNDS = Rule(
    "topic.timestamp-bounds",
    "The brokers reject an event that waited in the outbox, or that a refill appends again.",
    "Leave message.timestamp.before.max.ms at its default.",
    _topic("message.timestamp.before.max.ms"),
)


def findings(log: Log, kept: timedelta) -> Found:
    """Yield what the settings of the topics endanger. `kept`: how long the outbox keeps events."""
    for topic, declared in log.declared.items():
        if (found := log.brokers.topics.get(topic)) is None:
            yield MISSING.found(f"The topic {topic} is missing on the brokers")
            continue
        yield from _of_copies(topic, found, declared, log.brokers.brokers)
        yield from _of_settings(topic, found)
        yield from _of_retention(topic, found, declared, kept, log.waits.get(topic, timedelta()))


def _of_copies(topic: str, found: TopicSettings, declared: TopicSpec, brokers: int) -> Found:
    if found.partitions != declared.partitions:
        yield PARTITIONS.found(f"{topic} has {found.partitions} partitions, declared are {declared.partitions}")
    if found.replication == 1 and brokers >= BROKERS_MIN:
        yield ONE_COPY.found(f"{topic} has 1 copy on {brokers} brokers")
    elif found.replication < declared.replication:
        yield COPIES.found(f"{topic} has {found.replication} copies, declared are {declared.replication}")
    in_sync = number(found.configs, "min.insync.replicas")
    if in_sync is None:
        return
    if in_sync < min(2, found.replication - 1):
        yield IN_SYNC_LOW.found(f"{topic} has {found.replication} copies, min.insync.replicas is {in_sync}")
    if in_sync > found.replication or (found.replication > 1 and in_sync == found.replication):
        yield IN_SYNC_HIGH.found(f"{topic} has {found.replication} copies, min.insync.replicas is {in_sync}")


def _of_settings(topic: str, found: TopicSettings) -> Found:
    configs = found.configs
    if (policy := configs.get("cleanup.policy", "delete")) != "delete":
        yield COMPACT.found(f"cleanup.policy of {topic} is {policy}")
    size = number(configs, "max.message.bytes")
    if size is not None and size < RECORD_BYTES_MIN:
        yield BYTES.found(f"max.message.bytes of {topic} is {size}, needed are {RECORD_BYTES_MIN}")
    if is_on(configs.get("unclean.leader.election.enable", "false")):
        yield UNCLEAN.found(f"unclean.leader.election.enable of {topic} is true")
    if (kind := configs.get("message.timestamp.type", "CreateTime")) != "CreateTime":
        yield STAMPED.found(f"message.timestamp.type of {topic} is {kind}")
    for name in ("message.timestamp.before.max.ms", "message.timestamp.after.max.ms"):
        bound = number(configs, name)
        if bound is not None and bound < _bound_min(name):
            yield BOUNDS.found(f"{name} of {topic} is {bound}")


def _bound_min(name: str) -> float:
    """The least bound in milliseconds. Only clocks that differ make a record later than its broker."""
    return (ROOM if "before" in name else timedelta(minutes=1)) / timedelta(milliseconds=1)


def _of_retention(topic: str, found: TopicSettings, declared: TopicSpec, kept: timedelta, waits: timedelta) -> Found:
    size = number(found.configs, "retention.bytes")
    if size is not None and size >= 0:
        yield RETENTION_BYTES.found(f"retention.bytes of {topic} is {size}")
    milliseconds = number(found.configs, "retention.ms")
    if milliseconds is None or milliseconds < 0:
        return
    told, wanted = timedelta(milliseconds=milliseconds), number(declared.configs, "retention.ms") or 0
    if told < kept:
        yield RETENTION.found(f"retention.ms of {topic} is {told}, the outbox keeps events for {kept}")
    elif milliseconds < wanted:
        yield RETENTION.found(f"retention.ms of {topic} is {told}, declared is {timedelta(milliseconds=wanted)}")
    if waits * LAG_FACTOR > told:
        yield RETENTION_LAG.found(f"retention.ms of {topic} is {told}, and an event waits for {waits}")
