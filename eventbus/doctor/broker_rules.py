"""Rules about the brokers."""

from datetime import timedelta

from eventbus.doctor.facts import Clients, Found, Log, Rule, is_on, kafka, number

COPIES_MIN = 3  # of what the brokers keep about groups, where there are as many brokers
AHEAD_MAX = timedelta(seconds=5)  # clocks that are kept by NTP differ by milliseconds

AUTO_CREATE = Rule(
    "broker.auto-create",
    "A misspelt topic is made with the brokers' defaults, and its events are read by nobody.",
    "Set auto.create.topics.enable=false on each broker, and make topics with manage.py eventbus topics --apply.",
    kafka("brokerconfigs", "auto.create.topics.enable"),
)
UNCLEAN = Rule(
    "broker.unclean-election",
    "A copy that lacks acknowledged records may become the leader: they are lost, and offsets are given twice.",
    "Set unclean.leader.election.enable=false on each broker.",
    kafka("brokerconfigs", "unclean.leader.election.enable"),
)
OFFSETS = Rule(
    "broker.group-state",
    "When the one broker with the state of a group is gone, no worker of the group can join.",
    "Give __consumer_offsets 3 copies with kafka-reassign-partitions.sh; set offsets.topic.replication.factor=3.",
    kafka("brokerconfigs", "offsets.topic.replication.factor"),
)
SESSION = Rule(
    "broker.session-bounds",
    "The brokers refuse every worker, so no group handles anything.",
    "Let session.timeout.ms lie between group.min.session.timeout.ms and group.max.session.timeout.ms.",
    kafka("brokerconfigs", "group.min.session.timeout.ms"),
)
FEW = Rule(
    "broker.too-few",
    "No topic can be made, or moved, with as many copies.",
    "Start the missing brokers, or lower KAFKA_REPLICATION.",
    kafka("brokerconfigs", "default.replication.factor"),
)
TWO_SITES = Rule(
    "broker.two-sites",
    "The brokers divide the partitions among both sites, so each misses events.",
    "Give each site a KAFKA_PREFIX of its own, or stop the other.",
    kafka("consumerconfigs", "group.id"),
)
CLOCK = Rule(
    "clock.log",
    "The clock of a relay, or of a broker, is wrong: retention and choices by time go wrong with it.",
    "Run NTP, for example chrony or systemd-timesyncd, on each machine.",
    kafka("topicconfigs", "message.timestamp.type"),
)


def findings(log: Log, clients: Clients | None) -> Found:
    """Yield what the settings of the brokers endanger."""
    configs = log.brokers.configs
    if is_on(configs.get("auto.create.topics.enable", "false")):
        yield AUTO_CREATE.found("auto.create.topics.enable is true")
    if is_on(configs.get("unclean.leader.election.enable", "false")):
        yield UNCLEAN.found("unclean.leader.election.enable is true")
    copies = number(configs, "offsets.topic.replication.factor")
    if copies is not None and copies < min(COPIES_MIN, log.brokers.brokers):
        yield OFFSETS.found(f"offsets.topic.replication.factor is {copies} on {log.brokers.brokers} brokers")
    wanted = max((one.replication for one in log.declared.values()), default=1)
    if wanted > log.brokers.brokers:
        yield FEW.found(f"{wanted} copies are declared, and the brokers are {log.brokers.brokers}")
    yield from map(TWO_SITES.found, (one.rstrip(".") for one in log.others))
    yield from _of_session(log, clients)
    if log.newest_ahead is not None and log.newest_ahead > AHEAD_MAX:
        yield CLOCK.found(f"The newest record is {log.newest_ahead.total_seconds():.0f} s in the future")


def _of_session(log: Log, clients: Clients | None) -> Found:
    session = number(clients.consumer, "session.timeout.ms") if clients else None
    least = number(log.brokers.configs, "group.min.session.timeout.ms")
    most = number(log.brokers.configs, "group.max.session.timeout.ms")
    if session is None:
        return
    if least is not None and session < least:
        yield SESSION.found(f"session.timeout.ms is {session}, group.min.session.timeout.ms is {least}")
    if most is not None and session > most:
        yield SESSION.found(f"session.timeout.ms is {session}, group.max.session.timeout.ms is {most}")
