"""Which faults come on which day, and days that are played again until each has happened, or surely would have."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from django.db import connection

from eventbus import failpoints
from tests.sweep.cases import DAYS, DAYS_OF_ONE_WAY, DAYS_OF_SHORT, Sweeper, every_case
from tests.sweep.run import Case, Fault, Outcome

LATE, FIRST = Fault("payment.settle.commit", "kill", 3), Fault("payment.settle.commit", "kill", 1)
OTHER = Fault("prune.commit", "kill", 1)
TWO = ("eve", "gus")


class Sweeping(Sweeper):
    """Plays no day. Of these cases it says that all their faults happened, of others that none did."""

    def __init__(self, *happened: Case) -> None:
        self._happened = happened
        self.played: list[Case] = []

    def _play(self, case: Case) -> Outcome:
        self.played.append(case)
        fired = set(case.faults) if case in self._happened else set()
        return Outcome(case, fired, seconds=1.0, violations=[], passes={})


def test_a_fault_that_two_visitors_pass_by_chance_happens_with_everybody() -> None:
    sweeper = Sweeping(Case((FIRST,)))

    outcomes = sweeper.play(Case((LATE,), visitors=TWO))

    assert sweeper.played == [Case((LATE,), visitors=TWO), Case((FIRST,), visitors=TWO), Case((FIRST,))]
    assert [outcome.missed for outcome in outcomes] == [False, False, False]


def test_a_fault_that_happens_on_no_day_is_told() -> None:
    outcomes = Sweeping().play(Case((LATE,), visitors=TWO))

    assert [outcome.missed for outcome in outcomes] == [False, False, True]


def test_of_two_faults_the_one_that_did_not_happen_has_a_day_alone() -> None:
    sweeper = Sweeping(Case((LATE,), visitors=TWO), Case((OTHER,), visitors=TWO))

    sweeper.play(Case((LATE, OTHER), visitors=TWO))

    assert sweeper.played[1:] == [Case((LATE,), visitors=TWO), Case((OTHER,), visitors=TWO)]


@pytest.mark.parametrize(
    ("days_of", "deaths", "faults"), [(DAYS, 2, 8), (DAYS_OF_SHORT, 6, 12), (DAYS_OF_ONE_WAY, 6, 12)]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_each_point_and_way_has_its_day_and_none_has_too_many(
    seed: int, days_of: Sequence[Mapping[str, int]], deaths: int, faults: int
) -> None:
    points = list(failpoints.points.values())
    passes = {names: {point.name: 4 for point in points} for names in ((), ("ada",), ("ben",))}

    days = list(every_case(seed, passes, points, False, days_of))

    wanted = [(point.name, way) for point in points for way in point.ways(connection.vendor)]
    assert Counter((fault.point, fault.way) for day in days for fault in day.faults) == Counter(wanted)
    assert max(sum(fault.way in ("kill", "hang") for fault in day.faults) for day in days) == deaths
    assert max(len(day.faults) for day in days) == faults
    assert all(len({fault.point for fault in day.faults}) == len(day.faults) for day in days)
    assert {len(day.visitors) for day in days} == {2}


def test_where_nobody_passes_a_point_alone_everybody_comes() -> None:
    points = list(failpoints.points.values())[:2]
    passes = {(): {point.name: 4 for point in points}, ("ada",): {points[0].name: 4}}

    days = list(every_case(1, passes, points, False, DAYS))

    assert {day.visitors for day in days} == {()}
