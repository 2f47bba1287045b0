"""Days that are played again until each fault has happened, or surely would have."""

import pytest

from tests.sweep.run import Case, Fault, Outcome
from tests.sweep.sweeping import Sweeper, on_days

LATE, FIRST = Fault("payment.settle.commit", "kill", 3), Fault("payment.settle.commit", "kill", 1)
OTHER = Fault("prune.commit", "kill", 1)
TWO = ("eve", "gus")
SEVEN = [(Fault(f"point.{number}", "kill"), (name,)) for number, name in enumerate("ababacc")]


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


@pytest.mark.parametrize("together", [2, 3])
def test_every_fault_has_one_day_and_those_who_pass_it_come(together: int) -> None:
    days = list(on_days(1, SEVEN, ["a", "b", "c"], together))

    assert sorted(fault.point for day in days for fault in day.faults) == [fault.point for fault, _names in SEVEN]
    assert len(days) == -(-len(SEVEN) // together)
    for day in days:
        assert len(day.faults) <= together and len(day.visitors) >= 2
        assert {name for fault, names in SEVEN if fault in day.faults for name in names} <= set(day.visitors)


def test_another_seed_brings_others_together() -> None:
    by_seed = [{frozenset(day.faults) for day in on_days(seed, SEVEN, [], 3)} for seed in (1, 2)]

    assert by_seed[0] != by_seed[1]
