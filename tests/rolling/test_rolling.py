"""A deploy over a real Kafka: workers follow one another while events flow, and nobody notices."""

import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple
from uuid import uuid4

import pytest

from tests.eventbus.load_app.processes import Crowd, database_of_its_own
from tests.kafka.groups import share
from tests.outbox_check import misfits_of
from tests.waiting import until

PARTITIONS = 8  # of each topic: two for each of four workers
WAIT_SECONDS = 120.0  # for what processes do that start on a busy machine, a part of a second on a quiet one
LOOK_SECONDS = 0.2  # between two looks: each costs the machine that is measured a connection


class Shift(Crowd):
    """Over Kafka. `environment` is added to what its processes see."""

    def __init__(self, folder: Path, database_url: str, servers: str, environment: Mapping[str, str]) -> None:
        self._servers, self._prefix = servers, f"{uuid4().hex[:8]}."
        ours = {
            "DJANGO_SETTINGS_MODULE": "tests.rolling.load_app.settings",
            "EVENTBUS_BACKEND": "kafka",
            "EVENTBUS_PARTITIONS": str(PARTITIONS),
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "KAFKA_PREFIX": self._prefix,
        }
        self.told = folder / "told"
        super().__init__(folder, database_url, ours | dict(environment))

    def _prepare(self) -> None:
        self._site.manage("eventbus", "topics", "--apply")
        super()._prepare()

    def from_now_on(self, **environment: str) -> None:
        """What processes see that start later."""
        self._site.environment |= environment

    def relay(self) -> None:
        self.command("relay_events")

    def begin(self, group: str, count: int) -> list[subprocess.Popen[bytes]]:
        """So many workers, once the partitions are shared out among them."""
        workers = [self.worker(group) for _ in range(count)]
        name = self._prefix + group
        self.wait(partial(share, self._servers, name, count, PARTITIONS), "the workers share the partitions")
        return workers

    def worker(self, group: str) -> subprocess.Popen[bytes]:
        return self.command("handle_events", "--group", group)

    def ring(self, rate: float, ahead: int) -> subprocess.Popen[bytes]:
        """So many times a second, until `hush`; with no more than `ahead` that wait, any number when 0."""
        return self._run("-m", "tests.rolling.load_app.publisher", str(self.told), str(rate), str(ahead))

    def hush(self, ringing: subprocess.Popen[bytes]) -> None:
        """No more; and all that was told is handled, or it is too late for what is not."""
        self.told.with_suffix(".stop").touch()
        assert ringing.wait(WAIT_SECONDS) == 0, self.log()
        count = len(self.told.read_text().splitlines())
        try:
            self.wait(lambda: self.answers() >= count, "all is handled")
        except AssertionError:
            return  # what is lost, the outcome tells

    def answers(self) -> int:
        return self.number("SELECT count(*) FROM shift_answer")

    def has_begun(self, worker: subprocess.Popen[bytes]) -> bool:
        return bool(self.rows(f"SELECT 1 FROM eventbus_process WHERE pid = {worker.pid}"))

    def has_answered(self, worker: subprocess.Popen[bytes]) -> bool:
        return bool(self.rows(f"SELECT 1 FROM shift_answer WHERE process = {worker.pid} LIMIT 1"))

    def replace(self, worker: subprocess.Popen[bytes], group: str, *, joins: bool) -> float:
        """Ask it to leave, and start its successor; after how many seconds that one handled its first event.

        Unless it `joins`, it only has to have begun.
        """
        begun = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        successor = self.worker(group)
        self.wait(partial(self.has_answered if joins else self.has_begun, successor), "the successor is at work")
        joined = time.monotonic() - begun
        assert worker.wait(WAIT_SECONDS) == 0, self.log()
        return joined

    def misfits(self) -> list[str]:
        """The rows of the outbox that do not fit the JSON Schemas of their events."""
        return misfits_of(self._site.environment)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Look until it holds; fail after WAIT_SECONDS."""
        until(condition, lambda: f"{what}\n{self.log()}", seconds=WAIT_SECONDS, look=LOOK_SECONDS)


# --- a restart, and what became of each event ---

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


# --- tests ---

pytestmark = pytest.mark.rolling

WORKERS = 2
# Events a second at most, and how many of them wait at most: a load that a machine has room for beside other tests.
RATE, AHEAD = 50.0, 20
# Three seconds are promised and `python -m tests.rolling` measures them. A machine that runs everything else meanwhile
# may take this long; a worker that leaves without a word is missed after its session only, which lasts longer.
STALL_ON_A_BUSY_MACHINE_SECONDS = 40.0
SESSION = {"KAFKA_CLIENT_SETTINGS": "session.timeout.ms=60000"}


@pytest.fixture
def shift(tmp_path: Path, kafka: str) -> Iterator[Shift]:
    with database_of_its_own(tmp_path) as url:
        shift = Shift(tmp_path, url, kafka, SESSION)
        try:
            yield shift
        finally:
            shift.close()


@pytest.mark.rolling
def test_workers_follow_one_another_and_no_event_is_lost_twice_or_late(shift: Shift) -> None:
    outcome = roll(shift, workers=WORKERS, rate=RATE, ahead=AHEAD)

    print(outcome)
    assert outcome.kept, outcome
    assert outcome.stall <= STALL_ON_A_BUSY_MACHINE_SECONDS, outcome


def test_a_partition_stands_still_while_events_wait_and_none_is_handled() -> None:
    flows = [Passing(0, at, at + 0.1) for at in (10.0, 11.0, 12.0)]
    stands = [Passing(1, 10.0, 10.1), Passing(1, 10.2, 14.2), Passing(1, 11.0, 14.3)]
    idles = [Passing(2, 10.0, 10.1), Passing(2, 90.0, 90.5)]

    found = longest([*flows, *stands, *idles])

    assert {partition: round(stall, 6) for partition, stall in found.items()} == {0: 0.1, 1: 4.0, 2: 0.5}


def test_a_partition_whose_backlog_is_handled_does_not_stand_still() -> None:
    """Each waits for long, but one after the other is handled."""
    backlog = [Passing(0, 10.0, 10.0 + number) for number in range(1, 6)]

    assert longest(backlog) == {0: 1.0}


def test_who_comes_after_a_later_one_of_the_same_key_is_told() -> None:
    rings = [Ring("a", 0), Ring("a", 2), Ring("b", 0), Ring("a", 1), Ring("b", 1)]

    assert overtaken(rings) == [Ring("a", 1)]
