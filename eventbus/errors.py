"""The bus's errors, by cause: the event itself, contention between two writers, or the infrastructure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError


class BusError(Exception):
    """A refusal of the bus, with the remedy in its text."""


class WrongDeclaration(BusError, TypeError):
    """An event or a handler is declared in a way that could not work."""


class PublishOutsideTransaction(BusError):
    """publish() needs transaction.atomic(): an event must be saved with the rows that it is about, or not at all."""


class PublishInReplay(BusError):
    """publish() was called in a replay. The events were already published when the event was first handled."""


class EventTooLarge(BusError):
    """An event's data is over EVENT_BYTES_MAX. Publish ids and values, not documents."""


class NotAnEvent(BusError, TypeError):
    """publish() was given something other than events."""


class WrongFieldType(BusError, TypeError):
    """An event's field holds a value of another type than its class declares, or a value beyond the type's limits.

    Its handlers could not decode it. The same error refuses integers beyond 64 bits, and times that are not in UTC.
    """


class RetryLater(Exception):
    """A handler needs data from another topic that has not arrived yet. The event is retried, and its key waits."""


class ServiceUnavailable(Exception):
    """The service of an effect is unavailable and got no request. The effect is retried until the service is back.

    These retries do not count as attempts.
    """


class Permanent(Exception):
    """A retry cannot help, so the event becomes a dead letter at once."""


class HandlerTimeout(Exception):
    """A handler took longer than its `seconds`: its writes are rolled back."""


class CrashedRepeatedly(Permanent):
    """The process died each time while it handled this event."""


class OutcomeUnknown(Permanent):
    """The process died between an effect's call and the record of its answer: the outcome is unknown."""


class LeaseLost(Exception):
    """Another process has taken over the lease, so the open transaction is rolled back."""


class LogUnavailable(Exception):
    """The log cannot be reached, or fails to take or give records: wait and try again, no event has failed.

    `topics`: those whose records the log did not take, if that is known.
    """

    def __init__(self, why: str, topics: Collection[str] = ()) -> None:
        super().__init__(why)
        self.topics = topics


class LogTruncated(LogUnavailable):
    """A log has given an offset to a second record. Its earlier records are lost, and have to be appended again.

    `offsets`: the first such offset of each partition, by (topic, partition).
    """

    def __init__(self, why: str, offsets: Mapping[tuple[str, int], int]) -> None:
        super().__init__(why)
        self.offsets = offsets


class GroupStopped(Exception):
    """An operator, the circuit breaker or a restored database has stopped the group: nothing new begins."""


class Diverged(GroupStopped):
    """The log holds events of this site that the database does not know, so nothing is handled.

    `records`: some of these events.
    """

    def __init__(self, why: str, records: Sequence[Any]) -> None:
        super().__init__(why)
        self.records = records


class TooManyParked(Exception):
    """A group has PARKED_KEYS_MAX parked keys: no more are parked."""


class WorkerDied(BusError):
    """A worker's thread has ended without being asked to."""


class StaleEpoch(LeaseLost):
    """Another worker owns this partition now."""


# SQLSTATE classes and codes (PostgreSQL, appendix A), and SQLite's primary result names.
CONTENTION_STATES = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
IDLE_STATE = "25P03"  # idle in transaction session timeout
BROKEN_STATE_CLASSES = ("08", "53", "57", "58", IDLE_STATE, "XX")  # connection, resources, operator, system
CONTENTION_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED")
BROKEN_SQLITE = ("SQLITE_IOERR", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_CORRUPT", "SQLITE_NOTADB")


class QueueTimeout(OperationalError):
    """The queue of writers in this process did not move for longer than the busy timeout."""


def is_contention(error: BaseException) -> bool:
    """Return True for contention between two writers: try again at once, nothing has failed."""
    if isinstance(error, QueueTimeout):
        return True
    if not isinstance(error, OperationalError):
        return False
    return _sqlstate(error) in CONTENTION_STATES or _sqlite_name(error).startswith(CONTENTION_SQLITE)


def is_outage(error: BaseException) -> bool:
    """Return True if the database or the log is unavailable or cannot write: wait and try again, no event failed."""
    if isinstance(error, InterfaceError | LogUnavailable):
        return True
    if not isinstance(error, DatabaseError) or is_contention(error):
        return False
    state, name = _sqlstate(error), _sqlite_name(error)
    if name:
        return name.startswith(BROKEN_SQLITE)
    # psycopg gives no SQLSTATE if the connection broke.
    return state.startswith(BROKEN_STATE_CLASSES) if state else isinstance(error, OperationalError)


def is_cut_off(error: BaseException) -> bool:
    """Return True if the database ended a session idle in a transaction: its process was frozen or its handler slow."""
    return isinstance(error, DatabaseError) and _sqlstate(error) == IDLE_STATE


def is_infrastructure_error(error: BaseException) -> bool:
    """Return True if an error says nothing about the event that is being handled."""
    return isinstance(error, LeaseLost | GroupStopped) or is_outage(error) or is_contention(error)


def could_be_outage(error: BaseException) -> bool:
    """Return True if either the event that is being handled or an outage could have caused the error."""
    return is_outage(error) or is_contention(error) or isinstance(error, HandlerTimeout)


def counts_as_attempt(error: BaseException) -> bool:
    """Return True if a failure counts as an attempt. It does not if an unavailable service got no request."""
    return not isinstance(error, ServiceUnavailable)


def _sqlstate(error: BaseException) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def _sqlite_name(error: BaseException) -> str:
    return getattr(error.__cause__, "sqlite_errorname", None) or ""
