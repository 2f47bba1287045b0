"""Rules about the settings of Kafka's producer and consumer."""

from typing import Any

from eventbus.doctor.facts import LOOPBACK, Clients, Finding, Found, Rule, is_on, kafka, number
from eventbus.events import EVENT_BYTES_MAX

IN_FLIGHT_MAX = 5  # the requests for which brokers remember an idempotent producer's numbers
ENVELOPE_BYTES = 16 * 1024  # room for key and headers beside the data of an event
BEATS_MIN = 3  # heartbeats in a session: one or two may be late
POLL_MS_MIN = 60_000  # twice what a handler may take by default, and more than a rebalance waits for it
LIBRDKAFKA = "librdkafka, CONFIGURATION.md: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md"
LEAVE_OUT = "Leave the setting out of KAFKA_CLIENT_SETTINGS: the bus sets it."

ACKS = Rule(
    "producer.acks",
    "An acknowledged event is lost with the one broker that had it.",
    LEAVE_OUT,
    kafka("producerconfigs", "acks"),
)
IDEMPOTENCE = Rule(
    "producer.idempotence",
    "A record that is sent again is written twice, or behind a later one of its key.",
    LEAVE_OUT,
    kafka("producerconfigs", "enable.idempotence"),
)
IN_FLIGHT = Rule(
    "producer.in-flight",
    "A request that is sent again overtakes a later one, so the order of a key is lost.",
    LEAVE_OUT,
    kafka("producerconfigs", "max.in.flight.requests.per.connection"),
)
GAPLESS = Rule(
    "producer.gapless",
    "Later events of a key are written although an earlier one was refused.",
    LEAVE_OUT,
    LIBRDKAFKA,
)
TIMEOUT = Rule(
    "producer.timeout",
    "A record whose time runs out alone is overtaken by the next of its key.",
    LEAVE_OUT,
    kafka("producerconfigs", "delivery.timeout.ms"),
)
PARTITIONER = Rule(
    "producer.partitioner",
    "Other programs, with Java's partitioner, put the same key into another partition: its order is lost.",
    LEAVE_OUT,
    LIBRDKAFKA,
)
MESSAGE_BYTES = Rule(
    "producer.message-bytes",
    "The client refuses events that the bus allows to publish, and later ones of their keys wait.",
    "Raise message.max.bytes in KAFKA_CLIENT_SETTINGS, or leave it out.",
    LIBRDKAFKA,
)
AUTO_CREATE = Rule(
    "client.auto-create",
    "A misspelt topic is made with the brokers' defaults instead of what is declared beside its events.",
    LEAVE_OUT,
    kafka("consumerconfigs", "allow.auto.create.topics"),
)
AUTO_COMMIT = Rule(
    "consumer.auto-commit",
    "Offsets are stored before the database has the work, so a crash loses events.",
    LEAVE_OUT,
    kafka("consumerconfigs", "enable.auto.commit"),
)
OFFSET_RESET = Rule(
    "consumer.offset-reset",
    "Where no offset is stored, a group begins at the end and never handles what lies before.",
    LEAVE_OUT,
    kafka("consumerconfigs", "auto.offset.reset"),
)
ISOLATION = Rule(
    "consumer.isolation",
    "Groups handle events of transactions that other programs undid.",
    LEAVE_OUT,
    kafka("consumerconfigs", "isolation.level"),
)
SESSION = Rule(
    "consumer.session",
    "One or two late heartbeats make a living worker count as dead, and its partitions move without need.",
    "Make session.timeout.ms at least three times heartbeat.interval.ms.",
    kafka("consumerconfigs", "heartbeat.interval.ms"),
)
POLL = Rule(
    "consumer.poll-interval",
    "A worker that finishes its events before it gives partitions away is thrown out of its group meanwhile.",
    f"Set max.poll.interval.ms to at least {POLL_MS_MIN}, or leave it out.",
    kafka("consumerconfigs", "max.poll.interval.ms"),
)
ASSIGNMENT = Rule(
    "consumer.assignment",
    "Each rebalance stops every worker, and the reader loses partitions that it has in hand.",
    LEAVE_OUT,
    kafka("consumerconfigs", "partition.assignment.strategy"),
)
OPEN = Rule(
    "client.open",
    "Whoever reaches the brokers can read and forge every event.",
    "Set KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_MECHANISM: docs/operations.md, Who may reach the brokers.",
    "Kafka, Security: https://kafka.apache.org/documentation/#security",
)


def findings(clients: Clients) -> Found:
    """Yield what the settings of the clients endanger."""
    yield from _of_producer(clients.producer)
    yield from _of_consumer(clients.consumer)
    for kind, settings in (("producer", clients.producer), ("consumer", clients.consumer)):
        if is_on(settings.get("allow.auto.create.topics", False)):
            yield AUTO_CREATE.found(f"allow.auto.create.topics is on for the {kind}")
    far = [one for one in clients.servers if one.rpartition(":")[0] not in LOOPBACK]
    if clients.exposed and far:
        yield OPEN.found(f"{clients.exposed} ({', '.join(far)})")


def _of_producer(settings: dict[str, Any]) -> Found:
    def other(rule: Rule, name: str, *wanted: str) -> Found:
        yield from _differs(rule, settings, name, *wanted)

    yield from other(ACKS, "acks", "all", "-1")
    yield from other(IDEMPOTENCE, "enable.idempotence", "true")
    in_flight = number(settings, "max.in.flight.requests.per.connection")
    if in_flight is None:
        in_flight = number(settings, "max.in.flight")
    most = IN_FLIGHT_MAX if is_on(settings.get("enable.idempotence", False)) else 1
    if in_flight is not None and in_flight > most:
        yield IN_FLIGHT.found(f"max.in.flight.requests.per.connection is {in_flight}, at most {most} keep the order")
    yield from other(GAPLESS, "enable.gapless.guarantee", "true")
    yield from other(TIMEOUT, "message.timeout.ms", "0")
    yield from other(PARTITIONER, "partitioner", "murmur2_random", "murmur2")
    size = number(settings, "message.max.bytes")
    if size is not None and size < EVENT_BYTES_MAX + ENVELOPE_BYTES:
        yield MESSAGE_BYTES.found(f"message.max.bytes is {size}, the largest event has {EVENT_BYTES_MAX} bytes of data")


def _of_consumer(settings: dict[str, Any]) -> Found:
    for name in ("enable.auto.commit", "enable.auto.offset.store"):
        yield from _differs(AUTO_COMMIT, settings, name, "false")
    yield from _differs(OFFSET_RESET, settings, "auto.offset.reset", "earliest", "smallest", "beginning")
    yield from _differs(ISOLATION, settings, "isolation.level", "read_committed")
    session, beat = number(settings, "session.timeout.ms"), number(settings, "heartbeat.interval.ms")
    if session is not None and beat is not None and session < BEATS_MIN * beat:
        yield SESSION.found(f"session.timeout.ms is {session}, heartbeat.interval.ms is {beat}")
    poll = number(settings, "max.poll.interval.ms")
    if poll is not None and poll < POLL_MS_MIN:
        yield POLL.found(f"max.poll.interval.ms is {poll}")
    yield from _differs(ASSIGNMENT, settings, "partition.assignment.strategy", "cooperative-sticky")


def _differs(rule: Rule, settings: dict[str, Any], name: str, *wanted: str) -> Found:
    if name in settings and str(settings[name]).lower() not in wanted:
        finding: Finding = rule.found(f"{name} is {settings[name]}")
        yield finding
