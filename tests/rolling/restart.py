"""A rolling restart under load, and what became of each event."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from statistics import quantiles
from typing import NamedTuple

from tests.rolling.rolling_site import Shift

GROUP = "clerks"


class Passing(NamedTuple):
    """An event on its way: when it was committed, and when handled, both in seconds since 1970."""

    partition: int
    committed: float
    handled: float


class Ring(NamedTuple):
    """Whose, and the how manieth of theirs."""

    name: str
    number: int


@dataclass
class Outcome:
    """What was seen from outside: `lost`, `twice` and `late` (after a later one of its key) must be empty."""

    events: int = 0
    rate: float = 0.0  # events a second that were committed
    joins: list[float] = field(default_factory=list)  # seconds from SIGTERM to the successor's first event
    lost: list[Ring] = field(default_factory=list)
    twice: list[Ring] = field(default_factory=list)
    late: list[Ring] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)  # rows of the outbox that do not fit their JSON Schemas
    stalls: dict[int, float] = field(default_factory=dict)  # seconds, the longest by partition
    p99: float = 0.0  # seconds from commit to handled

    @property
    def kept(self) -> bool:
        """Whether each event fits its JSON Schema, and was handled once and in its key's order."""
        return not (self.lost or self.twice or self.late or self.misfits)

    @property
    def stall(self) -> float:
        """The longest of all, in seconds."""
        return max(self.stalls.values())

    def __str__(self) -> str:
        each = ", ".join(f"{partition}: {stall:.2f} s" for partition, stall in self.stalls.items())
        return (
            f"{self.events} events, {self.rate:.0f} a second; {len(self.joins)} workers followed by others, which "
            f"handled after {', '.join(f'{join:.1f}' for join in self.joins)} s\n"
            f"lost {len(self.lost)}, twice {len(self.twice)}, out of order {len(self.late)}, "
            f"not as their schemas {len(self.misfits)}\n"
            f"longest stall {self.stall:.2f} s ({each}); commit to handled, p99: {self.p99:.2f} s"
        )


def roll(shift: Shift, *, workers: int, rate: float, ahead: int = 0, to: str = "") -> Outcome:
    """Let each of so many workers be followed by another, one after the other, at so many events a second.

    No more than `ahead` of them wait at a time, any number when 0. `to` is the group protocol of those that follow, as
    it was when empty.
    """
    outcome = Outcome()
    shift.relay()
    running = shift.begin(GROUP, workers)
    ringing = shift.ring(rate, ahead)
    for worker in running:
        shift.wait(partial(shift.has_answered, worker), "each of the workers handles")
    if to:
        shift.from_now_on(KAFKA_GROUP_PROTOCOL=to)
    for worker in running:
        # One of the newer protocol may have to wait until the last of the older one has left.
        joins = not to or worker is running[-1]
        outcome.joins.append(shift.replace(worker, GROUP, joins=joins))
    shift.hush(ringing)
    outcome.misfits = shift.misfits()
    examine(shift, outcome)
    return outcome


def examine(shift: Shift, outcome: Outcome) -> None:
    """Compare what was told with what was answered."""
    told = {
        Ring(name, int(number)): float(at) for name, number, at in map(str.split, shift.told.read_text().splitlines())
    }
    answers = [
        (Ring(name, number), at)
        for name, number, at in shift.rows("SELECT name, number, at FROM shift_answer ORDER BY id")
    ]
    counts = Counter(ring for ring, _ in answers)
    outcome.events = len(told)
    outcome.rate = len(told) / (max(told.values()) - min(told.values()))
    outcome.lost = sorted(told.keys() - counts.keys())
    outcome.twice = [ring for ring, count in counts.items() if count > 1]
    outcome.late = overtaken([ring for ring, _ in answers])
    places = dict(shift.rows("SELECT DISTINCT key, partition FROM eventbus_outbox WHERE topic = 'rings'"))
    outcome.stalls = longest(Passing(places[ring.name], told[ring], at) for ring, at in answers)
    outcome.p99 = quantiles([at - told[ring] for ring, at in answers], n=100)[-1]


def overtaken(rings: list[Ring]) -> list[Ring]:
    """Those that came after a later one of their key."""
    last: defaultdict[str, int] = defaultdict(lambda: -1)
    found = []
    for ring in rings:
        if ring.number < last[ring.name]:
            found.append(ring)
        last[ring.name] = max(last[ring.name], ring.number)
    return found


def longest(passings: Iterable[Passing]) -> dict[int, float]:
    """How long each partition stood still at most, in seconds: events waited there, and none was handled."""
    by_partition: defaultdict[int, list[Passing]] = defaultdict(list)
    for passing in passings:
        by_partition[passing.partition].append(passing)
    return {partition: _longest(by_partition[partition]) for partition in sorted(by_partition)}


def _longest(passings: list[Passing]) -> float:
    """Before each handling: since the one before, or since the first of those that were still to come was committed."""
    passings.sort(key=lambda passing: passing.handled)
    waiting_since = [0.0] * len(passings)
    first = float("inf")
    for place in range(len(passings) - 1, -1, -1):
        first = waiting_since[place] = min(first, passings[place].committed)
    stalls, before = [0.0], 0.0
    for passing, since in zip(passings, waiting_since, strict=True):
        stalls.append(passing.handled - max(since, before))
        before = passing.handled
    return max(stalls)
