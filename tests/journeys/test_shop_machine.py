"""Random days in the shop under random mischief: never oversold, never charged twice, nothing stuck, nothing twice.

RANDOM_SEED chooses the days, RANDOM_DAYS how many: `make days` walks for longer. A shop with a fault planted must be
found out, by the truth that the fault breaks.
"""

import os
from typing import Any

import pytest

from tests.journeys.machine.environment import Floor, floor
from tests.journeys.machine.faults import FAULTS
from tests.journeys.machine.random_days import FINDING, walk, walk_and_count

pytestmark = pytest.mark.days

__all__ = ["floor"]  # a fixture

STEPS_PROMISED = 1_000  # at least, in so many days or more
DAYS = 40  # also those within which a fault must be found: one that needs more would be missed by the shop's own walk

# Operators type each of these within DAYS. Left out is what comes about more seldom: a replay, a restore and what is to
# be reconciled after it, and a discarded key with all that is parked. In memory nothing can be republished.
TYPED = ("pause", "resume", "requeue", "discard", "undo", "resend", "redeliver", "prune", "restored")


def test_whatever_happens_the_shop_keeps_its_promises(floor: Floor) -> None:
    days = int(os.environ.get("RANDOM_DAYS", DAYS))

    walk_and_count(floor, days=days)

    if days >= DAYS:
        assert floor.steps >= STEPS_PROMISED
        assert [what for what in TYPED if not floor.typed[what]] == [], floor.typed


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_shop_with_a_fault_is_found_out(fault: Any, floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault(monkeypatch), pytest.raises(AssertionError, match=rf"^{FAULTS[fault]}\b"):
        walk(floor, days=DAYS, phases=FINDING)
