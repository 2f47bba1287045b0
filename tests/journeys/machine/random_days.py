"""Random days in the shop, as many as asked for."""

import os

import hypothesis
from django.db import connection
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test

from tests.journeys.machine.environment import Floor
from tests.journeys.machine.rare_days import FatefulMachine

STEPS = 30  # a day; hypothesis ends some sooner
STEPS_MIN = 20  # a day, on average
DAYS_PER_TROUBLE_MAX = 15  # one that is ordered is not always met: on average it takes four days
SEED = int(os.environ.get("RANDOM_SEED", "1"))
FINDING, TELLING = (Phase.generate,), (Phase.generate, Phase.target, Phase.shrink)


def walk(floor: Floor, *, days: int, phases: tuple[Phase, ...]) -> None:
    """So many days. Raises what a day ends with; TELLING makes that day as short as it can be."""
    chosen = hypothesis.settings(
        max_examples=days,
        stateful_step_count=STEPS,
        phases=phases,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(hypothesis.seed(SEED)(lambda: FatefulMachine(floor)), settings=chosen)


def walk_and_count(floor: Floor, *, days: int) -> None:
    """They end well, and were no stroll."""
    where = "DATABASE_URL=postgres://... " if connection.vendor == "postgresql" else ""
    again = f"{where}RANDOM_SEED={SEED} RANDOM_DAYS={days} make days"
    print(f"{days} days of {STEPS} steps on {connection.vendor}. The same again: {again}")

    walk(floor, days=days, phases=TELLING)

    print(f"{floor.steps} steps, {floor.rests} days, {floor.deeds} deeds of the faults, {floor.trouble.met} troubles")
    print(f"{dict(floor.typed)} by and for operators")
    assert floor.rests >= days
    assert floor.steps >= days * STEPS_MIN
    assert floor.deeds > days
    assert floor.trouble.met >= max(1, days // DAYS_PER_TROUBLE_MAX)
