"""Distinguish an event that causes its own infrastructure errors from an outage that hits all events.

Some events cause a statement timeout or a killed database session at each attempt. Others wait for a row that another
session locks. Each case looks like an unavailable database, for which the worker waits without blaming an event. But
here the error comes with one event again and again, while the database handles others.
"""

from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID

from django.db import close_old_connections, connection

from eventbus import clock
from eventbus.backends.base import TopicPartition
from eventbus.errors import could_be_outage, counts_as_attempt, is_cut_off, is_infrastructure_error
from eventbus.events import Record

TRIES_MIN = 3  # tries with such an error before an event is suspected or blamed: an outage may hit it twice by chance
SLOW_SECONDS = 5.0  # an event whose one try took so long is set aside at once, so that the others need not wait
# If no other events were handled meanwhile, so many tries over so many seconds are needed to blame an event. Before
# each of them, the bus's own transactions succeeded.
ALONE_TRIES = 10
ALONE_SECONDS = 30.0
AWAY_TRIES = 3  # tries that found a service unavailable for this event, each after other events were handled
REMEMBERED_MAX = 2_000  # events: twice as many as a group may have parked keys


class Verdict(Enum):
    """The decision about an event that met an infrastructure error."""

    EXCUSED = auto()  # not its failure: wait and try again
    SUSPECTED = auto()  # it is parked without counting an attempt, so that others can be tried
    BLAMED = auto()  # it is the event's own failure


@dataclass
class _Met:
    """The infrastructure errors that one event has met.

    `others` and `others_last`: the value of `Suspicion.answered` at its first and at its last error.
    """

    key: tuple[str, str]
    since: float
    others: int
    others_last: int
    last: float = 0.0
    tries: int = 0
    passed_by: int = 0  # its tries before which other events were handled since its last try
    blamed: bool = False


class Suspicion:
    """The infrastructure errors that one worker has seen. Belongs to one thread; a restart forgets them."""

    def __init__(self) -> None:
        self.answered = 0  # times that events were handled
        # The ids of parked keys whose first event met an infrastructure error, in the order of their last try. All
        # other work goes first.
        self.keys: dict[int, TopicPartition] = {}
        self._met: dict[UUID, _Met] = {}
        self._cut_off: dict[TopicPartition, UUID] = {}  # by partition, the last event whose session the database ended

    def succeeded(self, event_ids: list[UUID]) -> None:
        """Note that these events were handled."""
        self.answered += bool(event_ids)
        if self._met:
            for event_id in event_ids:
                self._met.pop(event_id, None)

    def judge(self, record: Record, error: BaseException, *, seconds: float | None) -> Verdict:
        """Decide if the error of a single record's attempt is the event's own failure. Close a broken connection first.

        `seconds`: how long the try took that called its handlers; None if none was called.
        """
        if not connection.in_atomic_block:
            close_old_connections()
        if is_cut_off(error):
            return self._was_cut_off(record)
        if not could_be_outage(error):
            return Verdict.EXCUSED if is_infrastructure_error(error) else Verdict.BLAMED
        return Verdict.EXCUSED if seconds is None else self.met(record, error, seconds=seconds)

    def counts(self, record: Record, error: BaseException) -> bool:
        """Return True if a failure counts as an attempt.

        ServiceUnavailable counts if other events are handled between this event's tries (AWAY_TRIES): then the service
        is not unavailable.
        """
        return counts_as_attempt(error) or self.met(record, error, seconds=0.0) is Verdict.BLAMED

    def _was_cut_off(self, record: Record) -> Verdict:
        """Blame an event whose session the database ends twice in a row.

        The database ends sessions that are idle for too long, for example because the process was frozen. Partitions
        take turns, so the last such event is remembered for each partition.
        """
        partition = TopicPartition(record.topic, record.partition)
        before, self._cut_off[partition] = self._cut_off.get(partition), record.event_id
        return Verdict.EXCUSED if before != record.event_id else Verdict.BLAMED

    def met(self, record: Record, error: BaseException, *, seconds: float) -> Verdict:
        """Judge an event whose try ended with this error after so many seconds."""
        now = clock.monotonic()
        met = self._remember(record, now - seconds)
        met.tries, met.last = met.tries + 1, now
        met.passed_by += self.answered > met.others_last
        met.others_last = self.answered
        if not counts_as_attempt(error):
            return self._blamed(met) if met.passed_by >= AWAY_TRIES else Verdict.EXCUSED
        if met.tries >= TRIES_MIN and (self.answered > met.others or self._is_alone(met, now)):
            return self._blamed(met)
        slow = seconds >= SLOW_SECONDS
        return Verdict.SUSPECTED if slow or met.tries >= TRIES_MIN else Verdict.EXCUSED

    def _remember(self, record: Record, since: float) -> _Met:
        met = self._met.get(record.event_id)
        if met is None:
            if len(self._met) >= REMEMBERED_MAX:
                del self._met[next(iter(self._met))]
            met = _Met((record.topic, record.key), since, self.answered, self.answered)
            self._met[record.event_id] = met
        return met

    def _is_alone(self, met: _Met, now: float) -> bool:
        """Return True if the event's errors have gone on for long, and no other key has met one since they began.

        Keys whose events were blamed do not count as others.
        """
        if met.tries < ALONE_TRIES or now - met.since < ALONE_SECONDS:
            return False
        return all(other.key == met.key or other.blamed or other.last < met.since for other in self._met.values())

    def _blamed(self, met: _Met) -> Verdict:
        met.blamed = True
        return Verdict.BLAMED
