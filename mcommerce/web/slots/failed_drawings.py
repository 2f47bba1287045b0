"""The fragments of one open page whose drawing failed: each is drawn again after a pause."""

import asyncio
from collections.abc import Callable, Collection

FIRST_PAUSE_SECONDS = 1.0  # most failures are short: a lock, a database that restarts
PAUSE_SECONDS_MAX = 60.0  # a fragment that fails for hours costs a page one drawing a minute


class FailedDrawings:
    """The pauses of one page's fragments. Belongs to the page's event loop."""

    def __init__(self, draw_again: Callable[[Collection[str]], None]) -> None:
        self._draw_again = draw_again
        self._pauses: dict[str, float] = {}  # the pause of each fragment that failed last time
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._pauses

    def add(self, name: str) -> None:
        """Have a fragment drawn again after a pause, twice as long as the one before."""
        self._stop(name)
        pause = min(2 * self._pauses.get(name, FIRST_PAUSE_SECONDS / 2), PAUSE_SECONDS_MAX)
        self._pauses[name] = pause
        self._timers[name] = asyncio.get_running_loop().call_later(pause, self._draw_again, (name,))

    def remove(self, name: str) -> None:
        """Forget the failures of a fragment that was drawn."""
        self._stop(name)
        self._pauses.pop(name, None)

    def close(self) -> None:
        """Draw nothing again."""
        for name in [*self._timers]:
            self._stop(name)

    def _stop(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()
