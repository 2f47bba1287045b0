"""Measuring two ways of doing a thing side by side: round about, in one run, under the same settings."""

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter

ROUNDS_MIN = 5  # fewer, and one hiccup of the machine is the median
RESOLUTION = 0.001  # of a figure: rows are rounded to it
WARM_UP_ROUNDS = 1  # caches, prepared statements, imports

Round = Callable[[], float]  # does the thing once and returns the figure, in the row's unit


@dataclass(frozen=True)
class Goal:
    """What a row promises: a limit for its own median or worst, or for its ratio to the peer beside it.

    A `firm` one is far from what any machine needs: who misses it has broken something.
    """

    ratio_min: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    worst_at_most: float | None = None
    firm: bool = False

    def met(self, *, median: float, worst: float, ratio: float) -> bool:
        return (self.worst_at_most is None or worst <= self.worst_at_most) and self._usually_met(
            median=median, ratio=ratio
        )

    def _usually_met(self, *, median: float, ratio: float) -> bool:
        return (
            (self.ratio_min is None or ratio >= self.ratio_min)
            and (self.at_least is None or median >= self.at_least)
            and (self.at_most is None or median <= self.at_most)
        )

    def __str__(self) -> str:
        said = {"ratio >=": self.ratio_min, ">=": self.at_least, "<=": self.at_most, "each <=": self.worst_at_most}
        return ", ".join(f"{word} {limit:g}" for word, limit in said.items() if limit is not None)


@dataclass(frozen=True)
class Row:
    """A line of the table and of bench.json. Rates (".../s") are better when higher, times when lower."""

    name: str
    backend: str
    database: str
    median: float
    worst: float
    unit: str
    beside: str
    beside_median: float
    ratio: float  # how fast we are, the peer being 1: rates divide as they are, times the other way round
    goal: str
    met: bool
    firm: bool

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def side_by_side(
    name: str,
    ours: Round,
    *,
    unit: str,
    beside: str,
    peer: Round,
    goal: Goal,
    backend: str,
    database: str,
    rounds: int = ROUNDS_MIN,
) -> Row:
    """Do both in turn, `rounds` times each after a warm-up, and compare the medians."""
    if rounds < ROUNDS_MIN:
        raise ValueError(f"a median of {rounds} says little: at least {ROUNDS_MIN}")
    pairs = [(ours(), peer()) for _ in range(WARM_UP_ROUNDS + rounds)][WARM_UP_ROUNDS:]
    figures, peer_figures = zip(*pairs, strict=True)
    median, peer_median = statistics.median(figures), statistics.median(peer_figures)
    is_rate = unit.endswith("/s")
    ratio = _divided(median, peer_median) if is_rate else _divided(peer_median, median)
    worst = min(figures) if is_rate else max(figures)
    return Row(
        name=name,
        backend=backend,
        database=database,
        median=round(median, 3),
        worst=round(worst, 3),
        unit=unit,
        beside=beside,
        beside_median=round(peer_median, 3),
        ratio=round(ratio, 3),
        goal=str(goal),
        met=goal.met(median=median, worst=worst, ratio=ratio),
        firm=goal.firm,
    )


def _divided(one: float, other: float) -> float:
    """How often `other` goes into `one`; nothing at all, such as memory that does not grow, counts as RESOLUTION."""
    return 1.0 if one == other else one / max(other, RESOLUTION)


def p99(figures: list[float]) -> float:
    return statistics.quantiles(figures, n=100, method="inclusive")[98]


def rate(work: Callable[[], object], *, count: int) -> float:
    """How many of the `count` things that `work` does are done in a second."""
    return count / seconds(work)


def milliseconds(work: Callable[[], object]) -> float:
    return seconds(work) * 1000


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
