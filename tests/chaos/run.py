"""One run: faults drawn from a seed, under load; then rest, and a verdict."""

import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psycopg
from confluent_kafka import KafkaException

from tests.chaos.client_records import Violation
from tests.chaos.faults import KINDS, Faults
from tests.chaos.oracle import LOST, Oracle, at_rest
from tests.chaos.servers import Servers, Site
from tests.chaos.waiting import until

BEGIN_SECONDS = 4.0  # the load has begun by then
PAUSE_SECONDS = 5.2  # in the mean between two faults: the one before has mostly passed, but not always
CALM_SECONDS = 8.0  # at the end, for the last one to have its effect
AT_ONCE = 2  # faults that last at the same time
REST_SECONDS = 300.0  # after the load, at most, for everything that was told to be seen: two busy cores are far behind
START_SECONDS = 180.0  # for the first event to come through: a dozen processes start, on two busy cores
EVENTS_MIN, EFFECTIVE_MIN, KINDS_MIN = 20_000, 100, 10  # of ten minutes: fewer prove too little
TRAFFIC_SECONDS = 5.0  # a fault counts when somebody was served so shortly before
EVENTS_PAUSE_SECONDS = 0.7  # at most, between a publisher's transactions: more than 20,000 events in ten minutes
EXAMPLES_MAX = 20  # violations told in full
IN_DOUBT = "SELECT id FROM eventbus_deadletter WHERE state = 'open' AND request = '' AND error_class = 'OutcomeUnknown'"


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
    """What came of a run."""

    seed: int
    seconds: float
    events: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    effective: Counter[str] = field(default_factory=Counter)
    duplicates_absorbed: int = 0
    violations: list[Violation] = field(default_factory=list)

    def falls_short(self) -> list[str]:
        """What ten minutes should have come to, and did not."""
        goals = {
            "events": (self.events, EVENTS_MIN),
            "effective faults": (self.effective.total(), EFFECTIVE_MIN),
            "kinds of them": (len(+self.effective), KINDS_MIN),
        }
        return [f"Falls short: {count} {what}, of {least}" for what, (count, least) in goals.items() if count < least]

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.seconds:g} s, {self.events} events"]
        lines += [
            f"{kind:24}{self.effective[kind]} of {self.injected[kind]} effective" for kind in sorted(self.injected)
        ]
        lines += [f"{self.duplicates_absorbed} duplicates absorbed, {len(self.violations)} violations"]
        return "\n".join([*lines, *(f"{one.promise}: {one.what}" for one in self.violations[:EXAMPLES_MAX])])


class Run:
    """`patience` are the seconds that the rest may take: fewer where violations are expected."""

    def __init__(self, site: Site, planned: Sequence[Planned], outcome: Outcome, patience: float) -> None:
        self._site, self._planned, self._outcome, self._patience = site, planned, outcome, patience
        self._faults = Faults(site)
        self._hands, self._lock = threading.Semaphore(AT_ONCE), threading.Lock()
        self._errors: list[Exception] = []

    def __call__(self) -> None:
        site, outcome = self._site, self._outcome
        site.crew.start()
        if not until(lambda: site.rows("SELECT 1 FROM town_seen WHERE \"group\" = 'readers'"), START_SECONDS):
            raise RuntimeError(f"Nothing came through: see {site.folder}")
        begin = time.monotonic()
        threads = [threading.Thread(target=self._meet, args=(one, begin), daemon=True) for one in self._planned]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        time.sleep(max(0.0, begin + outcome.seconds - time.monotonic()))  # the load itself
        if not site.crew.stop_load():
            outcome.violations.append(Violation(LOST, "a publisher or the shoppers did not end"))
        self._rest()
        oracle = Oracle(site)
        outcome.events, outcome.duplicates_absorbed = oracle.events, oracle.duplicates_absorbed()
        outcome.violations += [*oracle.violations(), *self._faults.broken]

    def _meet(self, one: Planned, begin: float) -> None:
        time.sleep(max(0.0, begin + one.at - time.monotonic()))  # its time
        with self._hands:
            traffic = self._faults.serves(self._faults.acknowledged(), TRAFFIC_SECONDS)
            try:
                effective = KINDS[one.kind](self._faults, one.draw) and traffic
            except (psycopg.Error, KafkaException):
                effective = False  # another fault was in its way
            except Exception as error:  # the run itself is broken: something could not be started again
                self._errors.append(error)
                return
        with self._lock:
            self._outcome.injected[one.kind] += 1
            self._outcome.effective[one.kind] += effective

    def _rest(self) -> None:
        """The operator lets go of mails of which a death left unknown whether they were sent."""
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline and not at_rest(self._site):
            if doubts := self._site.rows(IN_DOUBT):
                self._site.manage("eventbus", "discard", *(str(number) for (number,) in doubts))
            time.sleep(0.5)  # between two looks of a poll that has a deadline


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

    Its folder stays, with all logs, when it failed, or a promise was violated and no `mistake` was planted.
    """
    folder, stays = Path(tempfile.mkdtemp(prefix="chaos-")), True
    try:
        site = Site(folder, servers, outcome.seed, mistake=mistake, shop=shop, pause_seconds=pause_seconds)
        try:
            Run(site, planned, outcome, patience)()
        finally:
            site.crew.close()
        stays = bool(outcome.violations) and not mistake
        return outcome
    finally:
        if stays:
            print(f"The processes' logs and records: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
