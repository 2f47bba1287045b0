"""Whoever meets a run that fails is told which of its faults are enough."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.chaos import minimizer, schedule
from tests.chaos.fault_kinds import KINDS
from tests.chaos.run import Outcome
from tests.chaos.schedule import Planned

SERVERS: Any = None  # nothing runs here


@pytest.mark.parametrize("guilty", [{3}, {0, 10}, {2, 7, 8}], ids=str)
def test_only_the_faults_that_it_takes_are_left_whichever_they_are(
    guilty: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[set[int]] = []

    def run(servers: Any, planned: Sequence[Planned], outcome: Outcome, *, shop: bool) -> Outcome:
        played.append({one.number for one in planned})
        assert planned[-1].at < outcome.seconds
        outcome.violations = ["lost"] if guilty <= played[-1] else []
        return outcome

    monkeypatch.setattr(minimizer, "run", run)
    planned = schedule.draw(7, 90, list(KINDS))

    told = minimizer.shrink(SERVERS, Outcome(7, 90), planned, shop=False)

    kept = sorted(guilty)
    assert f"Of {len(planned)} faults {len(kept)} suffice" in told
    assert f"--seed 7 --seconds 90 --only {','.join(map(str, kept))} --town" in told
    assert schedule.draw(7, 90, list(KINDS), only=kept) == [one for one in planned if one.number in guilty]
    assert len(played) < 2 ** len(guilty) * len(planned)
