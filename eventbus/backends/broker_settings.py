"""The settings of brokers and topics as the brokers report them, for the doctor."""

from datetime import datetime

import msgspec


class TopicSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A topic as it is on the brokers. `configs`: all its settings by Kafka's names."""

    partitions: int
    replication: int
    configs: dict[str, str]


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The brokers and the topics on them. A missing topic is None.

    `configs`: the settings of one broker, empty if it does not show them. `newest_at`: the latest time of a record.
    """

    brokers: int
    configs: dict[str, str]
    topics: dict[str, TopicSettings | None]
    newest_at: datetime | None = None
