"""Measure how fast groups handle events, and whether their lag grows, from what this process has seen before."""

import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

WINDOW = timedelta(seconds=60)  # what is compared with now: long enough to be calm, short enough to be news
APART = timedelta(seconds=4)  # between two samples: a page asks each five seconds, and several pages do so together
SAMPLES_MAX = 16  # WINDOW / APART, and one that is older
STANDS_SECONDS = 10.0  # a group that has not moved for so long, while events wait, falls behind by each second
STEADY_SECONDS = 2.0  # a smaller change of the lag is no change

Direction = Literal["", "grows", "shrinks", "steady"]


class Measured(msgspec.Struct, frozen=True):
    """A measurement of a group. `moved_at`: its last step in a partition in which an event waits for it."""

    handled: int
    waiting_seconds: float
    moved_at: datetime | None


class Trend(msgspec.Struct, frozen=True):
    """The trend of a group: events handled in a second (None: not known yet), and where its lag goes."""

    rate: float | None
    direction: Direction


class Trends:
    """The samples of one process, the oldest first. A restart forgets them: nothing depends on them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: deque[tuple[datetime, Mapping[str, Measured]]] = deque(maxlen=SAMPLES_MAX)

    def measure(self, now_measured: Mapping[str, Measured], now: datetime) -> dict[str, Trend]:
        """Store a sample, and return each group's trend since the oldest one of the WINDOW."""
        with self._lock:
            while self._samples and not timedelta() <= now - self._samples[0][0] <= WINDOW:
                self._samples.popleft()
            before = self._samples[0] if self._samples else None
            if before is None or now - self._samples[-1][0] >= APART:
                self._samples.append((now, now_measured))
        return {name: _trend(one, name, before, now) for name, one in now_measured.items()}

    def forget(self) -> None:
        """Drop all samples."""
        with self._lock:
            self._samples.clear()


trends = Trends()


def _trend(one: Measured, name: str, before: tuple[datetime, Mapping[str, Measured]] | None, now: datetime) -> Trend:
    stands = (
        one.waiting_seconds > STANDS_SECONDS
        and one.moved_at is not None
        and (now - one.moved_at).total_seconds() > STANDS_SECONDS
    )
    if before is None or name not in before[1] or (seconds := (now - before[0]).total_seconds()) < 1:
        return Trend(None, "grows" if stands else "")
    then = before[1][name]
    rate = max(0, one.handled - then.handled) / seconds
    change = one.waiting_seconds - then.waiting_seconds
    if stands or change > STEADY_SECONDS:
        return Trend(rate, "grows")
    if change < -STEADY_SECONDS:
        return Trend(rate, "shrinks")
    return Trend(rate, "steady" if one.waiting_seconds else "")
