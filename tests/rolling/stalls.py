"""How long each partition stood still: events waited there, and none was handled."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple


class Passing(NamedTuple):
    """An event on its way: when it was committed, and when handled, both in seconds since 1970."""

    partition: int
    committed: float
    handled: float


class Stall(NamedTuple):
    """`seconds` from `begun` on, in seconds since 1970."""

    seconds: float
    begun: float


def longest(passings: Iterable[Passing]) -> dict[int, Stall]:
    """The longest stall of each partition."""
    by_partition: defaultdict[int, list[Passing]] = defaultdict(list)
    for passing in passings:
        by_partition[passing.partition].append(passing)
    return {partition: _longest(by_partition[partition]) for partition in sorted(by_partition)}


def _longest(passings: list[Passing]) -> Stall:
    """Before each handling: since the one before, or since the first of those that were still to come was committed."""
    passings.sort(key=lambda passing: passing.handled)
    waiting_since = [0.0] * len(passings)
    first = float("inf")
    for place in range(len(passings) - 1, -1, -1):
        first = waiting_since[place] = min(first, passings[place].committed)
    stalls, before = [], 0.0
    for passing, since in zip(passings, waiting_since, strict=True):
        begun = max(since, before)
        stalls.append(Stall(max(0.0, passing.handled - begun), begun))
        before = passing.handled
    return max(stalls, key=lambda stall: stall.seconds)
