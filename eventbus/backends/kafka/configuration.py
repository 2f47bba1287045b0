"""The configuration of the Kafka clients. Settings that a guarantee of the bus needs are fixed.

A site's own setting that would break such a guarantee is refused.
"""

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer
from django.core.exceptions import ImproperlyConfigured

SOCKET_TIMEOUT_MS = 10_000  # for a broker's answer to a request: longer than a busy broker needs
RECONNECT_MS = 1_000  # the longest pause between two tries to reach a broker; librdkafka's default of 10 s is too long
SESSION_TIMEOUT_MS = 6_000  # after this silence a worker counts as dead; brokers allow no shorter time
HEARTBEAT_MS = 500  # the longest time until a worker learns of a rebalance; partitions that move stand still meanwhile
POLL_INTERVAL_MS = 300_000  # librdkafka's default: a separate thread polls, so no handler is too long for it
PREFETCH_KBYTES = 16_384  # the most that librdkafka holds for a reader, besides the reader's own buffers
METADATA_MS = 3_000  # the longest time until a new topic or partition is read
FETCH_WAIT_MS = 100  # the longest time that a broker waits for records; a seek takes effect after it
LINGER_MS = 0  # the relay sends whole batches, so the client need not wait for more records

PROMISES: dict[str, dict[str, Any]] = {
    "producer": {
        "acks": "all",
        "enable.idempotence": True,
        "enable.gapless.guarantee": True,  # a refused record stops the client: nothing of its partition overtakes it
        "message.timeout.ms": 0,  # no record times out alone, or the next one overtakes it: the whole batch is given up
        "partitioner": "murmur2_random",  # the Java clients' own: other producers of a topic keep its keys' order
        "allow.auto.create.topics": False,
    },
    "admin": {"allow.auto.create.topics": False},
    "consumer": {
        "enable.auto.commit": False,  # progress is in our database, and offsets are committed after it
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",  # where nothing is stored; offsets come from our database
        "isolation.level": "read_committed",
        "allow.auto.create.topics": False,
        "enable.partition.eof": False,
        "partition.assignment.strategy": "cooperative-sticky",
    },
}
REASONS = {
    "acks": "an acknowledged event must survive the loss of a broker",
    "enable.idempotence": "a retry would repeat records or change their order",
    "enable.gapless.guarantee": "later events of a key would overtake a refused one",
    "message.timeout.ms": "a record whose time ran out alone would be overtaken by the next of its key",
    "partitioner": "other programs, with Java's partitioner, would put a key into another partition",
    "enable.auto.commit": "offsets would be stored before the database has the work",
    "enable.auto.offset.store": "offsets would be stored before the database has the work",
    "auto.offset.reset": "events would be left out",
    "isolation.level": "events of a transaction that was undone would be seen",
    "allow.auto.create.topics": "a topic would get the broker's defaults instead of what is declared beside its events",
    "enable.partition.eof": "the reader does not expect it",
    "partition.assignment.strategy": "the reader follows one that moves partitions one by one",
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "common": {
        "socket.timeout.ms": SOCKET_TIMEOUT_MS,
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": RECONNECT_MS,
        "topic.metadata.refresh.interval.ms": METADATA_MS,
    },
    "producer": {"linger.ms": LINGER_MS},
    "consumer": {
        "session.timeout.ms": SESSION_TIMEOUT_MS,
        "heartbeat.interval.ms": HEARTBEAT_MS,
        "max.poll.interval.ms": POLL_INTERVAL_MS,
        "queued.max.messages.kbytes": PREFETCH_KBYTES,
        "fetch.wait.max.ms": FETCH_WAIT_MS,
    },
}
CLASSIC_ONLY = ("partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms")  # not with KIP-848
ALIASES = {  # librdkafka's other names for settings that are checked here
    "request.required.acks": "acks",
    "delivery.timeout.ms": "message.timeout.ms",
    "auto.commit.enable": "enable.auto.commit",
    "metadata.broker.list": "bootstrap.servers",
}
OURS = ("bootstrap.servers", "group.id", "transactional.id")  # the bus sets them itself, or does without
PRODUCER_ONLY = ("linger.ms", "compression.type", "batch.size", "message.timeout.ms")


def configured(kind: str, servers: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole configuration of a client; `kind` is "producer", "consumer" or "admin".

    `servers`: host:port, comma-separated. `chosen`: the site's own settings, by librdkafka's names. Raises
    ImproperlyConfigured for settings that would break a guarantee of the bus.
    """
    refuse_broken_promises(chosen)
    mine = {name: value for name, value in chosen.items() if kind == "producer" or name not in PRODUCER_ONLY}
    promised = PROMISES.get(kind, {})
    config = DEFAULTS["common"] | DEFAULTS.get(kind, {}) | mine | promised | {"bootstrap.servers": servers}
    if config.get("group.protocol") == "consumer":
        for name in CLASSIC_ONLY:
            config.pop(name, None)
    if kind != "consumer":
        config = {name: value for name, value in config.items() if not name.startswith("group.")}
    return config


def as_chosen(chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of each kind of client as the site chose them, also where they break a promise."""
    chosen = {ALIASES.get(name, name): value for name, value in chosen.items()}
    left_out = CLASSIC_ONLY if chosen.get("group.protocol") == "consumer" else ()
    merged = {kind: {**DEFAULTS["common"], **DEFAULTS.get(kind, {}), **PROMISES[kind], **chosen} for kind in PROMISES}
    return {
        kind: {name: value for name, value in config.items() if name not in left_out} for kind, config in merged.items()
    }


def exposed(chosen: Mapping[str, Any]) -> str:
    """Return why every client that reaches the brokers can write; empty if they authenticate clients."""
    protocol = str(chosen.get("security.protocol") or "PLAINTEXT").upper()
    if protocol.startswith("SASL"):
        return ""
    if protocol == "PLAINTEXT":
        return "Kafka is spoken to without TLS or SASL: whoever reaches the brokers reads and writes all events"
    if chosen.get("ssl.certificate.location") or chosen.get("ssl.keystore.location"):
        return ""
    return "Kafka is spoken to by TLS alone, without SASL or a certificate of ours: the brokers ask nobody who it is"


def refuse_broken_promises(chosen: Mapping[str, Any]) -> None:
    """Raise ImproperlyConfigured for chosen settings that break a guarantee of the bus, with the reason for each."""
    chosen = {ALIASES.get(name, name): value for name, value in chosen.items()}
    wrong = [
        f"{name}={chosen[name]} ({REASONS[name]}): leave it out"
        for promised in PROMISES.values()
        for name, value in promised.items()
        if name in chosen and _text(chosen[name]) != _text(value)
    ]
    wrong += [f"{name}={chosen[name]} (the bus sees to that itself): leave it out" for name in OURS if name in chosen]
    if chosen.get("group.protocol") == "consumer":
        wrong += [
            f"{name}={chosen[name]} (with group.protocol=consumer the brokers decide it): leave it out"
            for name in CLASSIC_ONLY
            if name in chosen and name not in REASONS
        ]
    if wrong:
        raise ImproperlyConfigured("Kafka's clients would break the bus's promises with " + "; ".join(wrong))


def refuse_unknown(producer: dict[str, Any], consumer: dict[str, Any], logger: logging.Logger) -> None:
    """Raise ImproperlyConfigured for settings that Kafka's client refuses.

    Only the client knows which these are, so a producer and a consumer are made to find out.
    """
    try:
        Producer(producer, logger=logger)
        Consumer(consumer, logger=logger).close()
    except KafkaException as error:
        raise ImproperlyConfigured(
            f"Kafka's client refuses its settings: {error.args[0].str()}. See KAFKA_CLIENT_SETTINGS and KAFKA_SSL_*"
        ) from error


def _text(value: Any) -> str:
    return str(value).lower()
