"""The upkeep beside the polls: pack the history's full days, and forget old rows. In small steps between two polls."""

import time
from collections.abc import Callable

from eventbus import clock
from stations.history import days
from stations.services import recording

FORGET_SECONDS = 60.0  # between two deletions of old rows: 83 rows a second, more than ever come
PACK_SECONDS = 60.0  # between two looks for days to pack; while there are some, a step follows each look at the plan


class Upkeep:
    """The upkeep of one feed, in the thread of its poller."""

    def __init__(self, feed: str, fence: Callable[[], object]) -> None:
        self._feed, self._fence = feed, fence
        self._forgot = time.monotonic()
        self._packed = float("-inf")

    def step(self, *, leads: bool) -> None:
        """Do what is due. Only the active poller packs: `fence` refuses another one inside the transaction."""
        now = time.monotonic()
        if now >= self._forgot + FORGET_SECONDS:
            self._forgot = now
            recording.forget_old()
            days.forget(today=clock.now().date())
        if leads and now >= self._packed + PACK_SECONDS and not days.pack_some(self._feed, fence=self._fence):
            self._packed = now
