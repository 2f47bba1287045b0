"""Which faults happen when: all of it drawn from a seed."""

import random
from collections.abc import Collection, Sequence
from typing import NamedTuple

BEGIN_SECONDS = 4.0  # the load has begun by then
PAUSE_SECONDS = 5.2  # in the mean between two faults: the one before has mostly passed, but not always
CALM_SECONDS = 8.0  # at the end, for the last one to have its effect


class Planned(NamedTuple):
    """One fault. `draw`, from 0 to 1, chooses its victim."""

    number: int
    at: float  # seconds from the beginning
    kind: str
    draw: float


def draw(seed: int, seconds: float, kinds: Sequence[str], only: Collection[int] = ()) -> list[Planned]:
    """Every kind once, in any order, then again. `only` keeps those of these numbers, at the same times."""
    chance = random.Random(seed)
    planned: list[Planned] = []
    at, waiting = BEGIN_SECONDS, list[str]()
    while at < seconds - CALM_SECONDS:
        if not waiting:
            waiting = chance.sample(kinds, len(kinds))
        planned.append(Planned(len(planned), at, waiting.pop(), chance.random()))
        at += chance.uniform(0.5, 1.5) * PAUSE_SECONDS
    return [one for one in planned if not only or one.number in only]
