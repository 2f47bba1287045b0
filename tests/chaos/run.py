"""One run: load, faults, rest, verdict."""

import shutil
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, Literal

import psycopg

from tests.chaos import evidence, restore_faults
from tests.chaos.client_records import Violation
from tests.chaos.fault_kinds import ASIDE, KINDS, left_out
from tests.chaos.faults import Faults
from tests.chaos.load_app.publisher import PAUSE_SECONDS
from tests.chaos.oracle import PROMISES, Oracle, at_rest
from tests.chaos.progress_probe import Watch
from tests.chaos.recovery_time import Calm
from tests.chaos.schedule import Planned
from tests.chaos.servers import Servers, Site
from tests.chaos.shop.verdict import PROMISES as OF_THE_SHOP
from tests.chaos.timeline import Timeline

AT_ONCE = 2  # faults that last at the same time
RECOVERY_SECONDS_MAX = 60.0  # in which nothing else is done to it: then it has not recovered
REST_SECONDS = 300.0  # after the load, at most, for everything that was told to be seen: two busy cores are far behind
START_SECONDS = 90.0  # for the first event to come through
EVENTS_MIN, EFFECTIVE_MIN, KINDS_MIN = 20_000, 100, 10  # of ten minutes: fewer prove too little
RECOVERY_P95_SECONDS_MAX = 15.0  # by the clock that stands still: what an operator may take for a hiccup
TRAFFIC_SECONDS = 5.0  # a fault counts when somebody was served so shortly before

Keep = Literal["never", "when violated", "always"]


@dataclass
class Outcome:
    """What came of a run.

    `recoveries` by kind of fault, in the seconds after it in which nothing else held up what is timed; `by_the_wall` of
    all, in seconds.
    """

    seed: int
    seconds: float
    mistake: str = ""
    shop: bool = False  # whether it took part: else nothing can be said of its promises
    left_out: dict[str, str] = field(default_factory=dict)  # kinds, and why
    events: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    effective: Counter[str] = field(default_factory=Counter)
    recoveries: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    by_the_wall: list[float] = field(default_factory=list)
    duplicates_absorbed: int = 0
    violations: list[Violation] = field(default_factory=list)

    def by_promise(self) -> dict[str, int]:
        counted = Counter(one.promise for one in self.violations)
        return {promise: counted[promise] for promise in PROMISES if self.shop or promise not in OF_THE_SHOP}

    def recovery(self) -> dict[str, float]:
        return spread([seconds for found in self.recoveries.values() for seconds in found])

    def falls_short(self) -> list[str]:
        """What ten minutes should have come to, and did not."""
        effective, kinds = self.effective.total(), sum(count > 0 for count in self.effective.values())
        p95 = self.recovery()["p95"]
        goals = {
            f"{self.events} events, of {EVENTS_MIN}": self.events >= EVENTS_MIN,
            f"{effective} effective faults, of {EFFECTIVE_MIN}": effective >= EFFECTIVE_MIN,
            f"{kinds} kinds of them, of {KINDS_MIN}": kinds >= KINDS_MIN,
            f"recovery p95 {p95:g} s, at most {RECOVERY_P95_SECONDS_MAX:g}": p95 <= RECOVERY_P95_SECONDS_MAX,
        }
        return [f"Falls short: {what}" for what, reached in goals.items() if not reached]

    def as_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "seconds": self.seconds,
            "events": self.events,
            "faults": {
                kind: {
                    "injected": self.injected[kind],
                    "effective": self.effective[kind],
                    **spread(self.recoveries[kind]),
                }
                for kind in sorted(self.injected)
            },
            "left_out": self.left_out,
            "duplicates_absorbed": self.duplicates_absorbed,
            "violations": len(self.violations),
            "by_promise": self.by_promise(),
            "recovery": self.recovery(),
            "recovery_by_the_wall": spread(self.by_the_wall),
        }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and max; zeros for none."""
    found = sorted(seconds) or [0.0]
    last = len(found) - 1
    return {
        "p50": round(found[round(last * 0.5)], 2),
        "p95": round(found[ceil(last * 0.95)], 2),
        "max": round(found[-1], 2),
    }


class Run:
    """`patience` are the seconds that a recovery and the rest may take: fewer where violations are expected."""

    def __init__(
        self, site: Site, planned: Sequence[Planned], outcome: Outcome, patience: float = REST_SECONDS
    ) -> None:
        self._site, self._planned, self.outcome, self._patience = site, planned, outcome, patience
        self._calm = Calm()
        self._faults = Faults(site, self._calm.seconds)
        self._hands = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._errors: list[Exception] = []
        self._timeline = Timeline(site.folder)
        self._watch = Watch(site, self._timeline.note)

    def __call__(self) -> Outcome:
        with self._timeline, self._watch:
            self._load()
        return self._judge()

    def _load(self) -> None:
        self._site.crew.start()
        self._await_traffic()
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
            self._violated("nothing is lost", "a publisher or the shoppers did not end by themselves")
        self._rest()

    def _await_traffic(self) -> None:
        if self._watch.seconds_until_it_flows(START_SECONDS) >= START_SECONDS and not self.outcome.mistake:
            raise RuntimeError(f"Nothing came through: see {self._site.folder}")

    def _meet(self, one: Planned, begin: float) -> None:
        time.sleep(max(0.0, begin + one.at - time.monotonic()))  # its time
        with self._hands, nullcontext() if one.kind in ASIDE else self._calm.broken():
            effective = self._inject(one)
            if (
                one.kind in restore_faults.KINDS and effective is not None
            ):  # an outage of minutes: it lasts until all flows
                self._watch.seconds_until_it_flows(RECOVERY_SECONDS_MAX)
        if effective is None:
            return
        with self._lock:
            self.outcome.injected[one.kind] += 1
            self.outcome.effective[one.kind] += effective
        longest = min(RECOVERY_SECONDS_MAX, self._patience)
        over = time.monotonic()
        seconds = self._watch.seconds_until_it_flows(longest, self._calm.seconds)
        wall = time.monotonic() - over
        self._timeline.note(f"{one.number} {one.kind}: flows again, {seconds:.1f} calm seconds after")
        with self._lock:
            self.outcome.recoveries[one.kind].append(seconds)
            self.outcome.by_the_wall.append(wall)

    def _inject(self, one: Planned) -> bool | None:
        """Whether it had its effect; None when the run itself is broken: something could not be started again."""
        traffic = self._faults.serves(self._faults.acknowledged(), TRAFFIC_SECONDS)
        self._timeline.note(f"{one.number} {one.kind}: begins")
        try:
            effective = KINDS[one.kind](self._faults, one.draw)
        except psycopg.Error:
            effective = False  # another fault was in its way
        except Exception as error:
            self._errors.append(error)
            return None
        self._timeline.note(f"{one.number} {one.kind}: over{'' if effective else ', without effect'}")
        return effective and traffic

    def _rest(self) -> None:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline and not at_rest(self._site):
            if self._site.shop:
                self._site.shop.decide()
            time.sleep(0.5)  # between two looks of a poll that has a deadline

    def _judge(self) -> Outcome:
        oracle = Oracle(self._site)
        self.outcome.events = oracle.events()
        self.outcome.violations += oracle.violations()
        self.outcome.duplicates_absorbed = oracle.duplicates_absorbed()
        self.outcome.violations += self._faults.broken
        self.outcome.left_out = left_out(self._site.servers)
        return self.outcome

    def _violated(self, promise: str, what: str) -> None:
        self.outcome.violations.append(Violation(promise, what))


def run(
    servers: Servers,
    planned: Sequence[Planned],
    outcome: Outcome,
    *,
    patience: float = REST_SECONDS,
    keep: Keep = "never",
    shop: bool = False,
    pause_seconds: float = PAUSE_SECONDS,
) -> Outcome:
    """On a database and topics of its own, with the `shop` or the town alone; `pause_seconds` as its Site's.

    `keep`: when its folder stays, with all logs and the timeline, the tables and what lay in Kafka.
    """
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        outcome.shop = shop
        site = Site(folder, servers, outcome.seed, outcome.mistake, shop=shop, pause_seconds=pause_seconds)
        try:
            Run(site, planned, outcome, patience)()
            if _stays(keep, outcome):
                try:
                    evidence.keep(site)
                except Exception as error:  # the verdict stands without it
                    print(f"Tables and records are not all kept: {error}")
            return outcome
        finally:
            site.close()
    finally:
        if _stays(keep, outcome):
            print(f"The processes' logs, tables and records, and what happened when: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _stays(keep: Keep, outcome: Outcome) -> bool:
    return keep == "always" or (keep == "when violated" and bool(outcome.violations))
