"""A rolling restart under load, and what became of each event."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from statistics import quantiles
from typing import NamedTuple

from tests.rolling.rolling_site import Shift
from tests.rolling.stalls import Passing, Stall, longest

GROUP = "clerks"


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
    stalls: dict[int, Stall] = field(default_factory=dict)  # the longest by partition
    p99: float = 0.0  # seconds from commit to handled

    @property
    def kept(self) -> bool:
        """Whether each event fits its JSON Schema, and was handled once and in its key's order."""
        return not (self.lost or self.twice or self.late or self.misfits)

    @property
    def stall(self) -> float:
        """The longest of all, in seconds."""
        return max(stall.seconds for stall in self.stalls.values())

    def __str__(self) -> str:
        each = ", ".join(f"{partition}: {stall.seconds:.2f} s" for partition, stall in self.stalls.items())
        return (
            f"{self.events} events, {self.rate:.0f} a second; {len(self.joins)} workers followed by others, which "
            f"handled after {', '.join(f'{join:.1f}' for join in self.joins)} s\n"
            f"lost {len(self.lost)}, twice {len(self.twice)}, out of order {len(self.late)}, "
            f"not as their schemas {len(self.misfits)}\n"
            f"longest stall {self.stall:.2f} s ({each}); commit to handled, p99: {self.p99:.2f} s"
        )


def roll(shift: Shift, *, workers: int, restarts: int, rate: float, ahead: int = 0, to: str = "") -> Outcome:
    """Let `restarts` of so many workers be followed by others, one after the other, at so many events a second.

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
    for worker in running[:restarts]:
        # One of the newer protocol may have to wait until the last of the older one has left.
        joins = not to or worker is running[restarts - 1]
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
