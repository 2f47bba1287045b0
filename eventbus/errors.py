"""What can go wrong, and whose fault it is: an event's, two writers' meeting, or the world's."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError


class BusError(Exception):
    """The bus refuses, with the remedy in its text."""


class PublishOutsideTransaction(BusError):
    """publish() needs transaction.atomic(): an event must be saved with the rows that it tells of, or not at all."""


class PublishInReplay(BusError):
    """publish() in a replay: what follows from an event was told when it was handled first."""


class EventTooLarge(BusError):
    """An event's data is over EVENT_BYTES_MAX. Tell ids and values, not documents."""


class WrongFieldType(BusError, TypeError):
    """An event's field holds a value of another type than its class says: its readers could not read it."""


class RetryLater(Exception):
    """A handler is too early: what it needs has not arrived by another topic. Tried again; its key waits."""


class ServiceUnavailable(Exception):
    """An effect's service is away, and nothing was asked of it: tried again for as long as it takes, never counted."""


class Permanent(Exception):
    """Trying again cannot help: a dead letter at once."""


class HandlerTimeout(Exception):
    """A handler took longer than it says (`seconds`): what it wrote is rolled back."""


class CrashedRepeatedly(Permanent):
    """The process died each time while it handled this event."""


class OutcomeUnknown(Permanent):
    """The process died between asking the outside and noting the answer, and nobody can say whether it happened."""


class LeaseLost(Exception):
    """Another process has taken over; whatever was being written is rolled back."""


class LogUnavailable(Exception):
    """The log cannot be reached, or does not take or give what it should: wait, try again, blame no event.

    `topics` are those of which it did not take something, where that is known.
    """

    def __init__(self, why: str, topics: Collection[str] = ()) -> None:
        super().__init__(why)
        self.topics = topics


class LogTruncated(LogUnavailable):
    """Logs have given places twice: what lay there is gone, and has to be appended again.

    `places` has the first of them, by topic and partition.
    """

    def __init__(self, why: str, places: Mapping[tuple[str, int], int]) -> None:
        super().__init__(why)
        self.places = places


class GroupStopped(Exception):
    """The group is paused or its circuit breaker is open: nothing new begins."""


class Diverged(GroupStopped):
    """The log holds events of ours that the database does not know: nothing is handled. `records` are some of them."""

    def __init__(self, why: str, records: Sequence[Any]) -> None:
        super().__init__(why)
        self.records = records


class TooManyParked(Exception):
    """A group has PARKED_KEYS_MAX parked keys: no more are parked."""


class WorkerDied(BusError):
    """A worker's thread has ended although nobody asked it to."""


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
    """Two writers met: try again at once, blame nobody."""
    if isinstance(error, QueueTimeout):
        return True
    if not isinstance(error, OperationalError):
        return False
    return _sqlstate(error) in CONTENTION_STATES or _sqlite_name(error).startswith(CONTENTION_SQLITE)


def is_outage(error: BaseException) -> bool:
    """The database or the log is away or cannot write: wait, try again, blame nobody."""
    if isinstance(error, InterfaceError | LogUnavailable):
        return True
    if not isinstance(error, DatabaseError) or is_contention(error):
        return False
    state, name = _sqlstate(error), _sqlite_name(error)
    if name:
        return name.startswith(BROKEN_SQLITE)
    # psycopg gives no state when the connection broke under it.
    return state.startswith(BROKEN_STATE_CLASSES) if state else isinstance(error, OperationalError)


def is_cut_off(error: BaseException) -> bool:
    """The database ended a session that stood idle in its transaction: its process was frozen, or its handler slow."""
    return isinstance(error, DatabaseError) and _sqlstate(error) == IDLE_STATE


def is_infrastructure_error(error: BaseException) -> bool:
    """Whether an error says nothing about the event that was in hand."""
    return isinstance(error, LeaseLost | GroupStopped) or is_outage(error) or is_contention(error)


def could_be_outage(error: BaseException) -> bool:
    """Whether an attempt ended in what an outage could have done as well as the event that was in hand."""
    return is_outage(error) or is_contention(error) or isinstance(error, HandlerTimeout)


def counts_as_attempt(error: BaseException) -> bool:
    """Whether a failure is an attempt: one for which a service that is away was not even asked is none."""
    return not isinstance(error, ServiceUnavailable)


def _sqlstate(error: BaseException) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def _sqlite_name(error: BaseException) -> str:
    return getattr(error.__cause__, "sqlite_errorname", None) or ""
