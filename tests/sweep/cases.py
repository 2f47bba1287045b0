"""Every case of a day, in lanes side by side, and what came of them."""

import os
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, Self

from django.db import connection

from eventbus import failpoints
from tests.sweep.parallel_runs import Databases, play
from tests.sweep.run import Case, Fault, Outcome

Way = tuple[str, str]  # a point, and what happens there
# Faults on a day: each more makes fewer days, and may mend more of what another broke. What is raised is tried eight
# times, twice where somebody eats. No death comes to a day on which something is raised: that must be mended without a
# new start.
DAYS = ({"kill": 2}, {"hang": 2}, {"break": 4, "error": 4})
LANES_PER_CORE = 2  # a day waits now and then
PASSES_TRIED = 8  # a planted fault shows at some passes of its point: those of one group, such as the mails


class Trial(NamedTuple):
    """The point at which a mistake of tests.simulation.mistakes shows, and the verdict's words for it."""

    point: str
    told: str


TRIALS = {
    "the inbox is forgotten": Trial("append", "does not balance"),
    "a payment is opened without a key": Trial("payment.opened", "sessions of them"),
    "a service is called without a claim": Trial("effect.answered", "got the mails"),
}


class Sweeper:
    """Has a template of the database, and plays days in copies of it; over Kafka where `servers` are named."""

    def __init__(self, folder: Path, servers: str = "") -> None:
        self._folder, self._servers = folder, servers
        self._databases = Databases(folder, os.environ["DATABASE_URL"], sent=not servers)

    def __enter__(self) -> Self:
        self._databases.prepare()
        return self

    def __exit__(self, *error: object) -> None:
        self._databases.forget()

    def play(self, case: Case) -> list[Outcome]:
        """A fault that did not happen has a day alone, and then one at its first pass: there it must happen."""
        outcome = self._play(case)
        missed = [fault for fault in case.faults if fault not in outcome.fired]
        if len(case.faults) > 1:
            again = [replace(case, faults=(fault,)) for fault in missed]
        else:
            again = [replace(case, faults=(replace(fault, nth=1),)) for fault in missed if fault.nth > 1]
        more = [self.play(one) for one in again]
        return [replace(outcome, played_again=bool(again)), *chain.from_iterable(more)]

    def _play(self, case: Case) -> Outcome:
        return play(case, self._databases, self._folder, self._servers)

    def sweep(self, seed: int, only: Sequence[str] = (), *, own: bool = False) -> int:
        """Every fault, few on a day. 1 when an order came to a wrong end, or a fault did not happen.

        `only`: these days, each with its faults, separated by commas. `own`: only what the backend alone has.
        """
        with ProcessPoolExecutor(LANES_PER_CORE * (os.cpu_count() or 1), mp_context=get_context("fork")) as lanes:
            calm = lanes.submit(self._play, Case(seed=seed)).result()
            tell(calm)
            points = self._points(own=own)
            cases = [case_of(specs, seed) for specs in only] or list(every_case(seed, calm.passes, points))
            wrong, happened, played = int(bool(calm.violations)), 0, 0
            for outcome in chain.from_iterable(lanes.map(self.play, cases)):
                happened, played = happened + len(outcome.fired), played + 1
                wrong += bool(outcome.violations or outcome.missed)
                tell(outcome)
        print(f"seed {seed}: {happened} faults on {played} days, {wrong} ended badly", flush=True)
        return 1 if wrong else 0

    def _points(self, *, own: bool) -> list[failpoints.Point]:
        """All but those of the other backend, or those of this one."""
        here = "kafka" if self._servers else "memory"
        return [point for point in failpoints.points.values() if point.backend in ({here} if own else {"", here})]

    def try_mistakes(self) -> int:
        """Each planted fault must be told in its own words, on days with one death. 1 when one was not seen."""
        unseen = 0
        for name, trial in TRIALS.items():
            faults = [Fault(trial.point, "kill", nth) for nth in range(1, PASSES_TRIED + 1)]
            cases = (Case((fault,), mistake=name) for fault in faults)
            told = next((found for case in cases for found in self._play(case).violations if trial.told in found), "")
            unseen += not told
            print(f"{name}: {told or 'NOTHING'}", flush=True)
        return 1 if unseen else 0


def every_case(seed: int, passes: Mapping[str, int], points: Iterable[failpoints.Point]) -> Iterator[Case]:
    """Each point and way, at some pass of the first half: threads pass a point more or less often from day to day."""
    found: dict[str, list[str]] = defaultdict(list)  # the points of each way
    for point in points:
        for way in point.ways(connection.vendor):
            found[way].append(point.name)
    for kind in DAYS:
        days: list[list[Way]] = []
        for way, together in kind.items():
            others = [[(name, way) for name in names] for names in on_days(seed, found[way], together)]
            days = list(both(seed, days, others))
        for day in days:
            yield Case(tuple(_fault(seed, point, way, passes.get(point, 0)) for point, way in day), seed)


def _fault(seed: int, point: str, way: str, passes: int) -> Fault:
    return Fault(point, way, random.Random(f"{seed} {point} {way}").randint(1, max(1, passes // 2)))


def on_days(seed: int, points: Sequence[str], together: int) -> Iterator[list[str]]:
    """So many on a day, and others together by each seed: what comes later may mend what came before."""
    days = -(-len(points) // together)
    for day in range(days):
        places = (turn * days + (day + turn * seed) % days for turn in range(together))
        yield [points[place] for place in places if place < len(points)]


def both(seed: int, days: Iterable[list[Way]], others: Iterable[list[Way]]) -> Iterator[list[Way]]:
    """One of these and one of the others on each day, as far as no point comes twice: by it is known what happened."""
    left = list(others)
    random.Random(seed).shuffle(left)
    for day in days:
        points = {point for point, _way in day}
        mate = next((other for other in left if points.isdisjoint(point for point, _way in other)), None)
        if mate is not None:
            left.remove(mate)
        yield day + (mate or [])
    yield from left


def case_of(specs: str, seed: int) -> Case:
    """A day as a command line names it. Raises ImproperlyConfigured."""
    return Case(tuple(Fault(*failpoints.parse(spec)) for spec in specs.split(",")), seed)


def tell(outcome: Outcome) -> None:
    """A line, and what was wrong."""
    later = "" if outcome.played_again else " NEVER"
    faults = [fault.spec + ("" if fault in outcome.fired else later or " later") for fault in outcome.case.faults]
    print(f"{outcome.seconds:5.1f} s  {', '.join(faults) or 'a calm day'}", flush=True)
    if outcome.violations:
        specs = ",".join(fault.spec for fault in outcome.case.faults)
        print(f"    again: --seed {outcome.case.seed} --only {specs}", *outcome.violations, sep="\n    ", flush=True)
