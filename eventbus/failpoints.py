"""Named points in the code at which a test or a developer causes one failure.

A point that is not armed costs one function call. An armed point does one of these at its n-th pass:

    kill    kill the process, as in a power cut
    break   break the database connection: an infrastructure error, so no attempt is counted
    error   raise an ordinary exception, like a fault in the code
    hang    stop the thread, until it is killed or HANG_SECONDS are over

Points are armed by the setting EVENTBUS_FAILPOINTS, never on a deployed site, or by `armed` in a test. For example,
`append.commit=kill@2` kills at the second pass. An armed point fires once, even if the process starts again: it leaves
a file behind.
"""

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, transaction

HANG_SECONDS = 600.0  # longer than any test waits: a test that makes it hang also kills it
SPEC = re.compile(r"([a-z._]+)=([a-z]+)(?:@([1-9][0-9]*))?")
WAYS = ("kill", "break", "error", "hang")


class BrokeHere(InterfaceError):
    """An armed point broke the connection."""


class FailedHere(Exception):
    """An armed point raised an ordinary error."""


@dataclass(frozen=True)
class Point:
    """A point: its name, what is under way there, whether a transaction is open, and the one backend that passes it."""

    name: str
    what: str
    inside: bool
    backend: str = ""  # "memory" or "kafka"; empty for every one

    def ways(self, vendor: str) -> tuple[str, ...]:
        """Return the possible failures: no `hang` inside a transaction of SQLite, where it would stop every writer."""
        return tuple(way for way in WAYS if way != "hang" or not (self.inside and vendor == "sqlite"))


points: dict[str, Point] = {}


def declare(
    *,
    backend: str = "",
    commits: Mapping[str, str] = {},
    inside: Mapping[str, str] = {},
    outside: Mapping[str, str] = {},
) -> None:
    """Declare points by name, each with a text that says what is under way there.

    `inside` a transaction, or `outside` of one. Each of `commits` is a transaction by `atomic` and makes two points:
    `NAME.commit` right before its COMMIT, and `NAME.committed` right after. `backend`: the only backend that passes
    these points, if there is only one.
    """
    inside = {**inside, **{f"{name}.commit": what for name, what in commits.items()}}
    outside = {**outside, **{f"{name}.committed": what for name, what in commits.items()}}
    points.update({name: Point(name, what, True, backend) for name, what in inside.items()})
    points.update({name: Point(name, what, False, backend) for name, what in outside.items()})


declare(
    commits={
        "timers": "due timers become outbox rows",
        "lease.acquire": "this process becomes the one",
        "lease.beat": "the one says that it lives",
        "lease.release": "the one leaves",
        "groups.ensure": "groups get their rows",
        "groups.take_over": "a worker takes partitions over, and counts who died",
        "groups.release": "a worker leaves a partition in order, and says so",
        "handle.batch": "many events handled, with inbox and progress",
        "handle.announce": "it is written down that many are begun at once",
        "handle.begin": "an attempt is written down",
        "handle.single": "one event handled, with inbox and progress",
        "handle.park": "a failed event waits, or becomes a dead letter",
        "handle.leave": "a failed event stays in the log, as if it had not been tried",
        "effect.claim": "an effect is about to happen",
        "retry.begin": "a parked key's attempt is written down",
        "retry.drain": "a parked event handled, the next comes up",
        "retry.failed": "a parked event waits again, or becomes a dead letter",
        "retry.leave": "a parked key waits as before a failed probe",
        "breaker.trip": "a group's circuit breaker opens",
        "replay.begin": "a replay's run is written down",
        "replay.step": "old events handled again, with the run's offset",
        "replay.failed": "a replay's handler has failed, and its run waits to be resumed",
        "replay.resume": "a replay's run goes on",
        "replay.done": "a replay has reached its end",
        "request": "an operator's request is stored",
        "apply_request": "an operator's request is applied",
        "pause": "a group is to stand still",
        "resume": "a group is to go on",
        "decide": "an operator has decided about an event that the log rejected",
        "prune": "rows that nobody needs leave, and their totals stay",
        "prune.replay": "the rows of a replay that ended leave",
        "prune.withdrawn": "events that were withdrawn leave",
        "close": "a group that is gone for good leaves, and what waits or is dead for it",
        "close.forget": "what it had handled is forgotten",
        "close.last": "its name is forgotten",
        "heartbeat": "a process says what it does",
        "heartbeat.leave": "a process that leaves takes its row with it",
    },
    inside={
        "publish": "events stand in their publisher's open transaction",
        "timer.set": "a timer stands in its publisher's open transaction",
        "timers.gone": "due timers are deleted, and not yet outbox rows",
        "handler.call": "a handler is about to run",
        "handler.done": "a handler has run, and no inbox row tells of it",
        "progress": "the inbox tells of an event, and the group's offset does not",
        "parked": "a key is parked, and its event nowhere yet",
        "dead_letter": "a dead letter is written, and its key goes on as before",
        "drained": "a parked event is handled, and still waits",
        "pruned": "rows have left, and no total tells of them",
    },
    outside={
        "publish.committed": "a publisher has committed, and no relay was woken",
        "append": "outbox rows were read",
        "fetched": "records were fetched",
        "effect.ask": "an effect was claimed, and has not happened",
        "effect.answered": "an effect has happened, and only this thread knows",
        "consumer.commit": "records are handled, and the backend's tools do not know",
        "consumer.committed": "records are handled, and the backend's tools know",
    },
)
declare(
    backend="memory",
    commits={"append": "rows get their offsets in the log"},
    inside={"append.fenced": "the lease is held, and no row is written"},
)


# --- passing by ----------------------------------------------------------------------------------------------------


def hit(name: str) -> None:
    """Pass a point. Does nothing unless a point is armed."""
    if _plan is not None:
        _plan.passed(name)


def atomic(name: str) -> AbstractContextManager[None]:
    """Return `transaction.atomic()`. If any point is armed, NAME.commit and NAME.committed are around its COMMIT."""
    return transaction.atomic() if _plan is None else _Watched(name)


class _Watched(AbstractContextManager[None]):
    def __init__(self, name: str) -> None:
        self._name, self._atomic = name, transaction.atomic()

    def __enter__(self) -> None:
        self._atomic.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                hit(f"{self._name}.commit")
            except BaseException as raised:
                self._atomic.__exit__(type(raised), raised, raised.__traceback__)
                raise
        self._atomic.__exit__(kind, error, trace)
        if error is None:
            hit(f"{self._name}.committed")


# --- arming --------------------------------------------------------------------------------------------------------


class Plan:
    """The armed points of this process, and the number of passes of each point."""

    def __init__(self, specs: Iterable[str], folder: Path | None) -> None:
        self.passes: Counter[str] = Counter()
        # Passes are counted without a lock. Kafka's client may raise anywhere inside a delivery report. A lock that was
        # just taken would then never be released, and the next thread would wait for ever.
        self._numbers: dict[str, Iterator[int]] = {}
        self._armed = {name: (way, nth) for name, way, nth in map(parse, specs)}
        self._folder = folder
        self._fired: set[str] = set()
        self._let_go = threading.Event()

    def passed(self, name: str) -> None:
        """Count a pass of a point. The point fires if it is armed for this pass."""
        if name not in points:
            raise KeyError(f"{name} is not declared as a failpoint")
        number = next(self._numbers.setdefault(name, count(1)))
        self.passes[name] = max(self.passes[name], number)
        way, nth = self._armed.get(name, ("", 0))
        if number == nth and self._first_time(name):
            self._fire(name, way)

    def fired(self, name: str) -> bool:
        """Return True if the point has fired, in this process or, with a folder, in an earlier one."""
        return name in self._fired or (self._folder is not None and (self._folder / name).exists())

    def let_go(self) -> None:
        """Let hanging threads go on."""
        self._let_go.set()

    def _first_time(self, name: str) -> bool:
        if self.fired(name):
            return False
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / name).touch()
        self._fired.add(name)
        return True

    def _fire(self, name: str, way: str) -> None:
        if way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if way == "break":
            raise BrokeHere(f"The failpoint {name} broke the connection")
        if way == "error":
            raise FailedHere(f"The failpoint {name} fired")
        self._let_go.wait(HANG_SECONDS)


_plan: Plan | None = None


def parse(spec: str) -> tuple[str, str, int]:
    """Return name, way and n-th pass of `name=way@n`. Raises ImproperlyConfigured with the remedy."""
    match = SPEC.fullmatch(spec)
    if match is None or match[2] not in WAYS:
        raise ImproperlyConfigured(f"A failpoint is armed as point={'|'.join(WAYS)}, perhaps with @n: not {spec!r}")
    if match[1] not in points:
        raise ImproperlyConfigured(f"There is no failpoint {match[1]!r}. Known: {', '.join(sorted(points))}.")
    return match[1], match[2], int(match[3] or 1)


def arm(specs: Iterable[str], folder: Path | None = None) -> Plan:
    """Arm points in this process until `disarm`. Files in `folder` mark the points that have fired.

    All other points only count their passes.
    """
    global _plan
    _plan = Plan(specs, folder)
    return _plan


def disarm() -> None:
    """Disarm all points, and let hanging threads go on."""
    global _plan
    plan, _plan = _plan, None
    if plan is not None:
        plan.let_go()


@contextmanager
def armed(*specs: str, folder: Path | None = None) -> Iterator[Plan]:
    """Arm these points while the context is open. For tests."""
    try:
        yield arm(specs, folder)
    finally:
        disarm()


def arm_as_set() -> None:
    """Arm the points of the setting EVENTBUS_FAILPOINTS, and note fired ones in EVENTBUS_FAILPOINTS_FOLDER."""
    if specs := getattr(settings, "EVENTBUS_FAILPOINTS", None):
        arm(specs, settings.EVENTBUS_FAILPOINTS_FOLDER)
