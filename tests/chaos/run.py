"""One run: faults drawn from a seed, under load; then rest, and a verdict."""

import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import NamedTuple

import psycopg
from confluent_kafka import KafkaException

from tests.chaos.client_records import Violation
from tests.chaos.faults import ASIDE, KINDS, Faults
from tests.chaos.oracle import PROMISES, Oracle, at_rest
from tests.chaos.servers import Servers, Site
from tests.chaos.shop import verdict
from tests.chaos.waiting import until

BEGIN_SECONDS = 4.0  # the load has begun by then
PAUSE_SECONDS = 5.2  # in the mean between two faults: the one before has mostly passed, but not always
CALM_SECONDS = 8.0  # at the end, for the last one to have its effect
AT_ONCE = 2  # faults that last at the same time
RECOVERY_SECONDS_MAX = 60.0  # in which nothing else is done to it: then it has not recovered
REST_SECONDS = 300.0  # after the load, at most, for everything that was told to be seen: two busy cores are far behind
START_SECONDS = 90.0  # for the first event to come through
EVENTS_MIN, EFFECTIVE_MIN, KINDS_MIN = 20_000, 100, 10  # of ten minutes: fewer prove too little
RECOVERY_P95_SECONDS_MAX = 15.0  # by the clock that stands still: what an operator may take for a hiccup
TRAFFIC_SECONDS = 5.0  # a fault counts when somebody was served so shortly before
EVENTS_PAUSE_SECONDS = 0.7  # at most, between a publisher's transactions: more than 20,000 events in ten minutes
EXAMPLES_MAX = 5  # violations told in full, of each promise
_UNREAD = """
    SELECT 1 FROM town_told AS told WHERE number > 0 AND id <= %s AND NOT EXISTS
    (SELECT 1 FROM town_seen AS seen WHERE seen.token = told.token AND seen."group" = 'readers') LIMIT 1
"""
_READ_LATER = """
    SELECT 1 FROM town_told AS told JOIN town_seen AS seen USING (token)
    WHERE told.number > 0 AND told.id > %s AND seen."group" = 'readers' LIMIT 1
"""


class Planned(NamedTuple):
    """One fault. `draw`, from 0 to 1, chooses its victim."""

    at: float  # seconds from the beginning
    kind: str
    draw: float


def schedule(seed: int, seconds: float, kinds: Sequence[str]) -> list[Planned]:
    """Every kind once, in any order, then again."""
    chance = random.Random(seed)
    planned: list[Planned] = []
    at, waiting = BEGIN_SECONDS, list[str]()
    while at < seconds - CALM_SECONDS:
        waiting = waiting or chance.sample(kinds, len(kinds))
        planned.append(Planned(at, waiting.pop(), chance.random()))
        at += chance.uniform(0.5, 1.5) * PAUSE_SECONDS
    return planned


@dataclass
class Outcome:
    """What came of a run. `recoveries` in the seconds after each fault in which nothing else held up what is timed."""

    seed: int
    seconds: float
    events: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    effective: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    duplicates_absorbed: int = 0
    violations: list[Violation] = field(default_factory=list)

    def broken(self) -> set[str]:
        return {one.promise for one in self.violations}

    def p95(self) -> float:
        found = sorted(self.recoveries) or [0.0]
        return found[ceil((len(found) - 1) * 0.95)]

    def falls_short(self) -> list[str]:
        """What ten minutes should have come to, and did not."""
        effective, kinds = self.effective.total(), len(+self.effective)
        goals = {
            f"{self.events} events, of {EVENTS_MIN}": self.events >= EVENTS_MIN,
            f"{effective} effective faults, of {EFFECTIVE_MIN}": effective >= EFFECTIVE_MIN,
            f"{kinds} kinds of them, of {KINDS_MIN}": kinds >= KINDS_MIN,
            f"recovery p95 {self.p95():g} s, at most {RECOVERY_P95_SECONDS_MAX:g}": (
                self.p95() <= RECOVERY_P95_SECONDS_MAX
            ),
        }
        return [f"Falls short: {what}" for what, reached in goals.items() if not reached]

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.seconds:g} s, {self.events} events, recovery p95 {self.p95():.1f} s"]
        lines += [
            f"{kind:24}{self.effective[kind]} of {self.injected[kind]} effective" for kind in sorted(self.injected)
        ]
        lines.append(f"{self.duplicates_absorbed} duplicates absorbed")
        for promise in PROMISES:
            found = [one.what for one in self.violations if one.promise == promise]
            lines += [f"{promise}: {len(found)} violations", *found[:EXAMPLES_MAX]] if found else []
        return "\n".join(lines)


class Calm:
    """A clock that stands still while anything is being done that holds up what is timed.

    While the broker is away nothing recovers from the death of a worker before, and faults come faster than one lasts.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._lasting = 0
        self._passed, self._since = 0.0, clock()

    @contextmanager
    def broken(self) -> Iterator[None]:
        """A fault lasts."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._lock:
            self._passed, self._since = self._now(), self._clock()
            self._lasting += more

    def seconds(self) -> float:
        with self._lock:
            return self._now()

    def _now(self) -> float:
        return self._passed if self._lasting else self._passed + self._clock() - self._since


class Run:
    """`patience` are the seconds that a recovery and the rest may take: fewer where violations are expected."""

    def __init__(self, site: Site, planned: Sequence[Planned], outcome: Outcome, patience: float) -> None:
        self._site, self._planned, self.outcome, self._patience = site, planned, outcome, patience
        self._calm, self._faults = Calm(), Faults(site)
        self._hands, self._lock = threading.Semaphore(AT_ONCE), threading.Lock()
        self._errors: list[Exception] = []

    def __call__(self) -> None:
        self._site.crew.start()
        if not until(lambda: self._site.rows(_READ_LATER, 0), START_SECONDS):
            raise RuntimeError(f"Nothing came through: see {self._site.folder}")
        begin = time.monotonic()
        threads = [threading.Thread(target=self._meet, args=(one, begin), daemon=True) for one in self._planned]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        time.sleep(max(0.0, begin + self.outcome.seconds - time.monotonic()))  # the load itself
        if not self._site.crew.stop_load():
            self.outcome.violations.append(Violation("nothing is lost", "a publisher or the shoppers did not end"))
        self._rest()
        self._judge()

    def _meet(self, one: Planned, begin: float) -> None:
        time.sleep(max(0.0, begin + one.at - time.monotonic()))  # its time
        with self._hands:
            if one.kind in ASIDE:
                effective = self._inject(one)
            else:
                with self._calm.broken():
                    effective = self._inject(one)
        if effective is None:
            return
        seconds = self._until_it_flows(min(RECOVERY_SECONDS_MAX, self._patience))
        with self._lock:
            self.outcome.injected[one.kind] += 1
            self.outcome.effective[one.kind] += effective
            self.outcome.recoveries.append(seconds)

    def _inject(self, one: Planned) -> bool | None:
        """Whether it had its effect; None when the run itself is broken: something could not be started again."""
        traffic = self._faults.serves(self._faults.acknowledged(), TRAFFIC_SECONDS)
        try:
            return KINDS[one.kind](self._faults, one.draw) and traffic
        except (psycopg.Error, KafkaException):
            return False  # another fault was in its way
        except Exception as error:
            self._errors.append(error)
            return None

    def _until_it_flows(self, longest: float) -> float:
        """Seconds until all that was told by now, and something told later, was read; `longest` if it is not."""
        begin, mark = self._calm.seconds(), -1

        def flows() -> bool:
            nonlocal mark
            if mark < 0:
                mark = self._site.number("SELECT max(id) FROM town_told")
            return not self._site.rows(_UNREAD, mark) and bool(self._site.rows(_READ_LATER, mark))

        return self._calm.seconds() - begin if until(flows, longest, self._calm.seconds) else longest

    def _rest(self) -> None:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline and not at_rest(self._site):
            if self._site.shop and verdict.in_doubt(self._site.rows):
                self._site.decide()
            time.sleep(0.5)  # between two looks of a poll that has a deadline

    def _judge(self) -> None:
        oracle = Oracle(self._site)
        self.outcome.events = oracle.events()
        self.outcome.violations += [*oracle.violations(), *self._faults.broken]
        self.outcome.duplicates_absorbed = oracle.duplicates_absorbed()


def run(
    servers: Servers,
    planned: Sequence[Planned],
    outcome: Outcome,
    *,
    shop: bool = False,
    mistake: str = "",
    patience: float = REST_SECONDS,
    pause_seconds: float = EVENTS_PAUSE_SECONDS,
) -> Outcome:
    """On a database and topics of its own, with the `shop` or the town alone.

    Its folder stays, with all logs, when a promise was violated and no `mistake` was planted.
    """
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        site = Site(folder, servers, outcome.seed, mistake=mistake, shop=shop, pause_seconds=pause_seconds)
        try:
            Run(site, planned, outcome, patience)()
        finally:
            site.crew.close()
        return outcome
    finally:
        if outcome.violations and not mistake:
            print(f"The processes' logs and records: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
