"""The tables of the bus. Payloads are bytes, so that an unreadable payload is kept as it came."""

from eventbus.column_sizes import (
    GROUP_CHARACTERS_MAX,
    HOST_CHARACTERS_MAX,
    NUMBER_MAX,
    SOURCE_CHARACTERS_MAX,
    TOPIC_CHARACTERS_MAX,
    TYPE_CHARACTERS_MAX,
    WHO_CHARACTERS_MAX,
)
from eventbus.models.event_log import Divergence, ForgottenSpan, LostRecords, TopicLog
from eventbus.models.failures import DeadLetter, Effect, ParkedEvent, ParkedKey, UntrustedRecord
from eventbus.models.groups import ConsumerGroup, IgnoredType, InboxRow, Progress
from eventbus.models.operator_actions import BulkRun, OperatorAction, ReplayRun
from eventbus.models.outbox import OutboxRow, StoredEvent, Timer
from eventbus.models.process_rows import LeaseRow, LogLevel, ProcessRow

__all__ = [
    "StoredEvent",
    "BulkRun",
    "ConsumerGroup",
    "DeadLetter",
    "Divergence",
    "Effect",
    "ForgottenSpan",
    "GROUP_CHARACTERS_MAX",
    "HOST_CHARACTERS_MAX",
    "IgnoredType",
    "InboxRow",
    "LeaseRow",
    "LogLevel",
    "LostRecords",
    "NUMBER_MAX",
    "OperatorAction",
    "OutboxRow",
    "ParkedEvent",
    "ParkedKey",
    "ProcessRow",
    "Progress",
    "ReplayRun",
    "SOURCE_CHARACTERS_MAX",
    "TOPIC_CHARACTERS_MAX",
    "TYPE_CHARACTERS_MAX",
    "Timer",
    "TopicLog",
    "UntrustedRecord",
    "WHO_CHARACTERS_MAX",
]
