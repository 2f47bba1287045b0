"""Every case of a day, in lanes side by side, and the table of what came of them."""

import os
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Self

from django.db import connection

from eventbus import failpoints
from tests.sweep.parallel_runs import Databases, play
from tests.sweep.planted_mistakes import TRIALS
from tests.sweep.run import PARTY, VISITORS, VISITORS_OVER_KAFKA, Case, Fault, Outcome

Party = tuple[str, ...]  # of visitors
Way = tuple[str, str]  # a point, and what happens there
# Faults on a day: each more makes fewer days, and may mend more of what another broke. What is raised is tried eight
# times, twice where somebody eats. No death comes to a day on which something is raised: that must be mended without a
# new start.
DAYS = ({"kill": 2}, {"hang": 2}, {"break": 4, "error": 4})
DAYS_OF_SHORT = ({"kill": 4, "hang": 2}, {"break": 6, "error": 6})
DAYS_OF_ONE_WAY = ({"kill": 2, "hang": 4}, {"break": 6, "error": 6})  # many more of these hang than kill
PASSES_TRIED = 8  # a planted fault shows at some passes of its point: those of one group, such as the mails


class Sweeper:
    """Has a template of the database, and plays days in copies of it; over Kafka where `servers` are named."""

    def __init__(self, folder: Path, lanes: int, servers: str = "") -> None:
        self._folder, self._lanes, self._servers = folder, lanes, servers
        self._visitors = VISITORS_OVER_KAFKA if servers else VISITORS
        self._databases = Databases(folder, os.environ["DATABASE_URL"], sent=not servers)

    def __enter__(self) -> Self:
        self._databases.prepare()
        return self

    def __exit__(self, *error: object) -> None:
        self._databases.forget()

    def play(self, case: Case) -> list[Outcome]:
        """A fault that did not happen has a day alone, then one at its first pass, then one with everybody.

        There its first pass must come. Two visitors may pass it by chance: whether a webhook comes before its payer.
        """
        outcome = self._play(case)
        missed = [fault for fault in case.faults if fault not in outcome.fired]
        if len(case.faults) > 1:
            again = [replace(case, faults=(fault,)) for fault in missed]
        elif missed and missed[0].nth > 1:
            again = [replace(case, faults=(replace(missed[0], nth=1),))]
        elif missed and case.visitors:
            again = [replace(case, visitors=())]
        else:
            again = []
        more = [self.play(one) for one in again]
        return [replace(outcome, played_again=bool(again)), *chain.from_iterable(more)]

    def _play(self, case: Case) -> Outcome:
        return play(case, self._databases, self._folder, self._servers)

    def sweep(
        self,
        seed: int,
        only: Sequence[str] = (),
        visitors: Party = (),
        *,
        short: bool = False,
        one_way: bool = False,
        own: bool = False,
    ) -> int:
        """Every fault, few on a day. 1 when an order came to a wrong end, or a fault did not happen.

        `only`: these days, each with its faults, separated by commas, and with these `visitors` or everybody.
        `short`: each day has more faults, and of people those who pass its points, two at least. `one_way`: each point
        one way that SQLite has too, and all that it has not. `own`: only the points that the backend alone has. With
        both, PARTY comes daily.
        """
        alone = [PARTY] if own and self._servers else [(), *((name,) for name in self._visitors)]
        parties = alone if short else [()]
        with ProcessPoolExecutor(self._lanes, mp_context=get_context("fork")) as lanes:
            days = [Case(seed=seed, visitors=names) for names in parties]
            calm = dict(zip(parties, lanes.map(self._play, days), strict=True))
            wrong = sum(bool(outcome.violations) for outcome in calm.values())
            print(f"seed {seed}: {len(calm)} calm days, {wrong} of them ended badly", flush=True)
            passes = {names: outcome.passes for names, outcome in calm.items()}
            days_of = DAYS if not short else DAYS_OF_ONE_WAY if one_way else DAYS_OF_SHORT
            cases = [case_of(specs, seed, visitors) for specs in only] or list(
                every_case(seed, passes, self._points(own=own), one_way, days_of)
            )
            print(f"{'point':26} {'way':6} {'fired':8} recovered", flush=True)
            happened = days_played = 0
            for outcome in chain.from_iterable(lanes.map(self.play, cases)):
                happened, days_played = happened + len(outcome.fired), days_played + 1
                wrong += bool(outcome.violations or outcome.missed)
                tell(outcome)
        print(f"seed {seed}: {happened} faults on {days_played} days, {wrong} ended badly", flush=True)
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
            cases = [Case((fault,), mistake=name) for fault in faults]
            told = next((found for case in cases if (found := self._told(case, trial.told))), "NOTHING")
            unseen += told == "NOTHING"
            print(f"{name}: {told}", flush=True)
        return 1 if unseen else 0

    def _told(self, case: Case, words: str) -> str:
        violations = self._play(case).violations
        return next((violation for violation in violations if words in violation), "")


def every_case(
    seed: int,
    passes: Mapping[Party, Mapping[str, int]],
    points: Iterable[failpoints.Point],
    one_way: bool,
    days_of: Sequence[Mapping[str, int]],
) -> Iterator[Case]:
    """Each point and way, at some pass of the first half: threads pass a point more or less often from day to day.

    `passes`: how often each point is passed by everybody `()` and, for short days, by one visitor or party alone.
    `days_of`: how many faults of each way come together.
    """
    found: dict[str, list[str]] = defaultdict(list)  # the points of each way
    for point in points:
        for way in few_ways(seed, point) if one_way else point.ways(connection.vendor):
            found[way].append(point.name)
    for kind in days_of:
        days: list[list[Way]] = []
        for way, together in kind.items():
            days = list(
                both(seed, days, [[(name, way) for name in its] for its in on_days(seed, found[way], together)])
            )
        for day in days:
            yield day_of(seed, day, passes)


def few_ways(seed: int, point: failpoints.Point) -> list[str]:
    """One of the ways that SQLite has too, and those that it has not: a thread that hangs inside a transaction."""
    everywhere = point.ways("sqlite")
    others = [way for way in point.ways(connection.vendor) if way not in everywhere]
    return [random.Random(f"{seed} {point.name}").choice(everywhere), *others]


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


def day_of(seed: int, ways: Sequence[Way], passes: Mapping[Party, Mapping[str, int]]) -> Case:
    """Who comes to a short day passes its points, and is not alone; everybody where nobody alone passes one."""
    alone = sorted(names for names in passes if names)
    visitors: Party = ()
    faults, everybody_comes = [], False
    for point, way in ways:
        dice = random.Random(f"{seed} {point} {way}")
        passing = [names for names in alone if passes[names].get(point)]
        there = [names for names in passing if set(names) <= set(visitors)]
        names = dice.choice(there or passing) if passing else ()
        faults.append(Fault(point, way, dice.randint(1, max(1, passes.get(names, {}).get(point, 0) // 2))))
        visitors = tuple(dict.fromkeys((*visitors, *names)))
        everybody_comes |= not names
    absent = sorted({name for names in alone for name in names} - set(visitors))
    if len(visitors) == 1 and absent:
        visitors += (random.Random(f"{seed} {faults[0]}").choice(absent),)
    return Case(tuple(faults), seed, visitors=() if everybody_comes else visitors)


def case_of(specs: str, seed: int, visitors: Party) -> Case:
    """A day as a command line names it. Raises ImproperlyConfigured."""
    return Case(tuple(Fault(*failpoints.parse(spec)) for spec in specs.split(",")), seed, visitors=visitors)


def tell(outcome: Outcome) -> None:
    case = outcome.case
    recovered = "NO" if outcome.violations else "yes"
    rest = f"{recovered:9} {outcome.seconds:5.1f} s  {', '.join(case.visitors)}"
    for number, fault in enumerate(case.faults):
        fired = f"pass {fault.nth}" if fault in outcome.fired else "later" if outcome.played_again else "NEVER"
        print(f"{fault.point:26} {fault.way:6} {fired:8} {'with the last' if number else rest}", flush=True)
    if outcome.violations:
        visitors = f" --visitors {','.join(case.visitors)}" if case.visitors else ""
        specs = ",".join(fault.spec for fault in case.faults)
        print(f"    again: --seed {case.seed} --only {specs}{visitors}", flush=True)
    for violation in outcome.violations:
        print(f"    {violation}", flush=True)
