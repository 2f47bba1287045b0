"""Every case of a day, in lanes side by side, and the table of what came of them."""

import os
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Self

from django.db import connection

from eventbus import failpoints
from tests.sweep.lanes import Databases, play
from tests.sweep.run import PARTY, VISITORS, VISITORS_OVER_KAFKA, Case, Outcome
from tests.sweep.sabotage import SABOTAGES

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

    def play(self, case: Case) -> Outcome:
        """A pass that did not come this time is not waited for: at its first pass a point must fire."""
        outcome = self._play(case)
        if case.point and not outcome.fired and case.nth > 1:
            outcome = self._play(replace(case, nth=1))
        return outcome

    def _play(self, case: Case) -> Outcome:
        return play(case, self._databases, self._folder, self._servers)

    def sweep(
        self, seed: int, only: Sequence[str] = (), *, short: bool = False, one_way: bool = False, own: bool = False
    ) -> int:
        """One day through every case, or some. 1 when an order came to a wrong end, or a point did not fire.

        `short`: to each day come two visitors, one of whom passes its point. `one_way`: each point only one way.
        `own`: only the points that the backend alone has. With both, PARTY comes to each day.
        """
        alone = [PARTY] if own and self._servers else [(), *((name,) for name in self._visitors)]
        parties = alone if short else [()]
        with ProcessPoolExecutor(self._lanes, mp_context=get_context("fork")) as lanes:
            days = [Case(seed=seed, visitors=names) for names in parties]
            calm = dict(zip(parties, lanes.map(self.play, days), strict=True))
            wrong = sum(bool(outcome.violations) for outcome in calm.values())
            print(f"seed {seed}: {len(calm)} calm days, {wrong} of them ended badly", flush=True)
            passes = {names: outcome.passes for names, outcome in calm.items()}
            cases = [Case(*failpoints.parse(spec), seed) for spec in only] or list(
                every_case(seed, passes, self._points(own=own), one_way)
            )
            print(f"{'point':26} {'way':6} {'fired':8} recovered", flush=True)
            for outcome in lanes.map(self.play, cases):
                wrong += not outcome.fired or bool(outcome.violations)
                tell(outcome)
        print(f"seed {seed}: {len(cases)} days, {wrong} ended badly", flush=True)
        return 1 if wrong else 0

    def _points(self, *, own: bool) -> list[failpoints.Point]:
        """All but those of the other backend, or those of this one."""
        here = "kafka" if self._servers else "memory"
        return [point for point in failpoints.points.values() if point.backend in ({here} if own else {"", here})]

    def sabotaged(self) -> int:
        """Each planted fault must be told, in its own words. 1 when one was not seen."""
        unseen = 0
        for name, sabotage in SABOTAGES.items():
            cases = [Case(sabotage.point, "kill", nth, sabotage=name) for nth in range(1, PASSES_TRIED + 1)]
            told = next((found for case in cases if (found := self._told(case, sabotage.told))), "NOTHING")
            unseen += told == "NOTHING"
            print(f"{name}: {told}", flush=True)
        return 1 if unseen else 0

    def _told(self, case: Case, words: str) -> str:
        violations = self._play(case).violations
        return next((violation for violation in violations if words in violation), "")


def every_case(
    seed: int,
    passes: Mapping[tuple[str, ...], Mapping[str, int]],
    points: Iterable[failpoints.Point],
    one_way: bool,
) -> Iterator[Case]:
    """Each point and way, at some pass of the first half: threads pass a point more or less often from day to day.

    `passes`: how often each point is passed by everybody `()` and, for short days, by one visitor or party alone.
    """
    alone = {names for names in passes if names}
    everybody = {name for names in alone for name in names}
    for point in points:
        passing = sorted(names for names in alone if passes[names].get(point.name))
        ways = point.ways(connection.vendor)
        for way in [random.Random(f"{seed} {point.name}").choice(ways)] if one_way else ways:
            dice = random.Random(f"{seed} {point.name} {way}")
            names = dice.choice(passing) if passing else ()
            nth = dice.randint(1, max(1, passes.get(names, {}).get(point.name, 0) // 2))
            yield Case(point.name, way, nth, seed, visitors=names and with_another(names, everybody, dice))


def with_another(names: tuple[str, ...], everybody: Collection[str], dice: random.Random) -> tuple[str, ...]:
    others = sorted(set(everybody) - set(names))
    return (*names, dice.choice(others)) if others else names


def tell(outcome: Outcome) -> None:
    case = outcome.case
    who = ", ".join(case.visitors)
    fired = f"pass {case.nth}" if outcome.fired else "NEVER"
    recovered = "NO" if outcome.violations else "yes"
    print(f"{case.point:26} {case.way:6} {fired:8} {recovered:9} {outcome.seconds:5.1f} s  {who}", flush=True)
    for violation in outcome.violations:
        print(f"    {violation}", flush=True)
