"""What our brokers are told, however they are started: small, quick to start, quick to notice a death."""

REPLICAS_MAX = 3  # of each record, where there are as many brokers


def server_settings(
    number: int, voters: dict[int, str], *, listeners: dict[str, str], advertised: dict[str, str]
) -> dict[str, str]:
    """Of node `number`. `voters`: every node's controller as host:port; the others: host:port by listener's name."""
    replicas = min(REPLICAS_MAX, len(voters))
    in_sync = max(1, replicas - 1)  # so that one may be gone
    return {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "controller.quorum.voters": ",".join(f"{voter}@{address}" for voter, address in voters.items()),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
        "listeners": _listed(listeners),
        "advertised.listeners": _listed(advertised),
        # A misspelt topic is an error, not a new topic.
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(replicas),
        "min.insync.replicas": str(in_sync),
        # Several are stopped at once, and the last would wait for minutes for somebody to hand its partitions to. One
        # alone hands nothing on, but says that it goes, and need not wait for its own former self when it comes back.
        "controlled.shutdown.enable": "true" if len(voters) == 1 else "false",
        **_inner_topics(replicas, in_sync),
        **_small(),
        **_quick(),
    }


def as_properties(settings: dict[str, str]) -> str:
    """The text of a server.properties."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def as_environment(settings: dict[str, str]) -> dict[str, str]:
    """As Kafka's image wants them: node.id is KAFKA_NODE_ID."""
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}


def _listed(listeners: dict[str, str]) -> str:
    return ",".join(f"{name}://{address}" for name, address in listeners.items())


def _inner_topics(replicas: int, in_sync: int) -> dict[str, str]:
    """Where the brokers keep offsets and transactions. Kafka's 50 partitions each are files for a thousand groups."""
    partitions = "2"
    return {
        "offsets.topic.num.partitions": partitions,
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.num.partitions": partitions,
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.num.partitions": partitions,
        "share.coordinator.state.topic.replication.factor": str(replicas),
        "share.coordinator.state.topic.min.isr": str(in_sync),
    }


def _small() -> dict[str, str]:
    """For a heap of a few hundred MB: Kafka's default for the cleaner alone is 128 MB."""
    return {
        "log.cleaner.dedupe.buffer.size": "4194304",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }


def _quick() -> dict[str, str]:
    """Deaths are noticed within seconds, of brokers as of consumers: whoever tests them need not wait for minutes."""
    return {
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",  # a classic consumer names its own
        # Consumers of the newer protocol (KIP-848) are told theirs.
        "group.consumer.min.heartbeat.interval.ms": "500",
        "group.consumer.heartbeat.interval.ms": "500",
        "group.consumer.min.session.timeout.ms": "3000",
        "group.consumer.session.timeout.ms": "6000",
    }
