"""The shape of a log for readers: brokers, topics, partitions with their leader and copies."""

import msgspec


class BrokerDescription(msgspec.Struct, frozen=True):
    """A broker that answers. `address`: host:port. `leads` and `holds` count partitions of the described topics."""

    id: int
    address: str
    is_controller: bool
    leads: int
    holds: int


class PartitionDescription(msgspec.Struct, frozen=True):
    """A partition: its first offset, its end, and the brokers with its copies. None: the log does not say.

    A log without brokers has no leader and no copies.
    """

    partition: int
    begin: int | None
    end: int | None
    leader: int | None = None
    replicas: tuple[int, ...] = ()
    in_sync: tuple[int, ...] = ()

    @property
    def is_short(self) -> bool:
        """True if it has no leader, or if a copy is not in sync."""
        return bool(self.replicas) and (self.leader is None or len(self.in_sync) < len(self.replicas))


class TopicDescription(msgspec.Struct, frozen=True):
    """A topic's present settings by Kafka's names, and its partitions. `configs`: None if they may not be read."""

    configs: dict[str, str] | None
    partitions: list[PartitionDescription]


class LogDescription(msgspec.Struct, frozen=True):
    """The brokers, sorted, and each existing topic by its name in the code."""

    brokers: list[BrokerDescription]
    topics: dict[str, TopicDescription]
