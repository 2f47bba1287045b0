"""What one run is: a folder with a site's database, a payment provider, a clock, and perhaps armed points."""

import mmap
import socket
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

START = datetime(2026, 1, 5, 9, tzinfo=UTC).timestamp()  # any time: no run asks the wall clock


class Clock:
    """One time for all processes of a run. It stands still until somebody moves it, so no run waits for a deadline."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)  # anonymous and shared: children see the same bytes
        self.set(START)

    def set(self, seconds: float) -> None:
        struct.pack_into("d", self._memory, 0, seconds)

    def seconds(self) -> float:
        return float(struct.unpack_from("d", self._memory)[0])

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)


PRUNED = "pruned"  # the file that says that the janitor has pruned, in the run's folder


@dataclass(frozen=True)
class Fault:
    """What happens once, at the n-th pass of a point."""

    point: str
    way: str
    nth: int = 1

    @property
    def spec(self) -> str:
        return f"{self.point}={self.way}@{self.nth}"


@dataclass(frozen=True)
class Case:
    """A day on which these faults happen, in whatever order; or none."""

    faults: tuple[Fault, ...] = ()
    seed: int = 1
    mistake: str = ""


@dataclass
class Run:
    """Everything that the site's successive lives and its driver share."""

    case: Case
    folder: Path
    database: dict[str, Any]  # what differs from the settings' DATABASES["default"]
    door: socket.socket  # listens for as long as the run: while no site lives, webhooks wait at it
    servers: str = ""  # Kafka's, as host:port; none is the in-memory backend
    clock: Clock = field(default_factory=Clock)
    company_url: str = ""

    @property
    def fired(self) -> set[Fault]:
        """Which of the day's faults have happened."""
        return {fault for fault in self.case.faults if (self.folder / "fired" / fault.point).exists()}

    @property
    def deaths(self) -> int:
        """How many lives have ended before their day was over."""
        told = self.folder / "deaths"
        return len(told.read_text()) if told.exists() else 0

    @property
    def company_ledger(self) -> Path:
        return self.folder / "company.sqlite3"

    @property
    def site_url(self) -> str:
        return f"http://127.0.0.1:{self.door.getsockname()[1]}"


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `passes`: how often each point was passed in its last life.

    `played_again`: what did not happen has had other days.
    """

    case: Case
    fired: set[Fault]
    seconds: float
    violations: list[str]
    passes: dict[str, int]
    played_again: bool = False

    @property
    def missed(self) -> bool:
        """Whether a fault never happened."""
        return not self.played_again and self.fired != set(self.case.faults)
