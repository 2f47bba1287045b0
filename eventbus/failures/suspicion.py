"""Telling an event that breaks its own world from a world that is broken for all.

A statement that always runs into its timeout, a backend that is killed each time, a row that somebody holds: each looks
as if the database were away, which is nobody's fault and waited for. What tells them apart is that it keeps following
one event while the database answers others.
"""

from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID

from eventbus import clock
from eventbus.errors import counts_as_attempt
from eventbus.events import Record

TRIES_MIN = 3  # outages hit whom they hit: twice is bad luck
SLOW_SECONDS = 5.0  # whom one try has held up for so long is set aside at once, so that the others need not wait
# Where nobody else is there to be answered: the bus's own transactions were, before each of these tries.
ALONE_TRIES = 10
ALONE_SECONDS = 30.0
AWAY_TRIES = 3  # a service that is away: so often others were answered, each time after it was away for this event
REMEMBERED_MAX = 2_000  # events: twice as many as a group may have parked keys


class Verdict(Enum):
    """What is to become of an event that met a broken world."""

    EXCUSED = auto()  # the world is waited for
    SUSPECTED = auto()  # it is set aside, uncounted, so that others can be tried
    BLAMED = auto()  # it is the event's own failure


@dataclass
class _Met:
    """What one event has met. `others`: how many others had been answered when it met that first, and last."""

    key: tuple[str, str]
    since: float
    others: int
    others_last: int
    last: float = 0.0
    tries: int = 0
    passed_by: int = 0  # times that others were answered between two of its tries
    blamed: bool = False


class Suspicion:
    """What one worker has seen. Belongs to one thread; a restart begins anew."""

    def __init__(self) -> None:
        self.answered = 0  # times that the database let others through
        self._met: dict[UUID, _Met] = {}

    def succeeded(self, event_ids: list[UUID]) -> None:
        """The database has let these through."""
        self.answered += bool(event_ids)
        if self._met:
            for event_id in event_ids:
                self._met.pop(event_id, None)

    def met(self, record: Record, error: BaseException, *, seconds: float) -> Verdict:
        """Judge an event whose try ended so after so long."""
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
        """Whether it goes on for so long, and no other key has met such a thing meanwhile."""
        if met.tries < ALONE_TRIES or now - met.since < ALONE_SECONDS:
            return False
        return all(other.key == met.key or other.blamed or other.last < met.since for other in self._met.values())

    def _blamed(self, met: _Met) -> Verdict:
        met.blamed = True
        return Verdict.BLAMED
