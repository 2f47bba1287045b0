"""A rate limit: so many times in so long, for each one who is counted."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from math import ceil

from django.core.cache import cache
from django.db import Error as DatabaseAway

from eventbus import clock
from mcommerce.rate_limits.visitors import keyed_hash

logger = logging.getLogger(__name__)


class RateLimited(Exception):
    """Somebody did something too often; `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too often: try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class RateLimit:
    """At most so many hits within a window, for each `who`. Windows begin at multiples of their length.

    One that `slides` also counts the window before, as far as it still reaches back into it: no two bursts meet where
    one ends and the other begins.
    """

    name: str
    at_most: int
    seconds: int
    slides: bool = False

    def hit(self, who: object) -> None:
        """Count one more of `who`. Raises RateLimited past the limit.

        Call it outside a transaction: a count that is rolled back did not happen. Without its database nobody is
        refused here; whoever needs the database fails for that reason, and not for ours.
        """
        window, passed = divmod(int(clock.now().timestamp()), self.seconds)
        key = self._key(who, window)
        try:
            cache.add(key, 0, self.seconds * (1 + self.slides))
            hits = cache.incr(key)
            before = min(cache.get(self._key(who, window - 1), 0), self.at_most) if self.slides else 0
        except (DatabaseAway, ValueError):  # ValueError: the entry expired between the two lines
            logger.warning("Rate limit %s could not count", self.name, exc_info=True)
            return
        if hits + ceil(before * (1 - passed / self.seconds)) > self.at_most:
            raise RateLimited(self.seconds - passed + ceil(self.slides * self.seconds / self.at_most))

    def take_back(self, who: object) -> None:
        """Count one less of `who`, after a hit that turned out to be no harm."""
        with suppress(DatabaseAway, ValueError):  # ValueError: the window of the hit is over
            cache.incr(self._key(who, int(clock.now().timestamp()) // self.seconds), -1)

    def _key(self, who: object, window: int) -> str:
        return f"rate:{self.name}:{window}:{keyed_hash(who)}"
