"""A rate limit: so many times in so long, for each one who is counted."""

import logging
from dataclasses import dataclass

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
    """At most so many hits within a window, for each `who`. Windows begin at multiples of their length."""

    name: str
    at_most: int
    seconds: int

    def hit(self, who: object) -> None:
        """Count one more of `who`. Raises RateLimited past the limit.

        Call it outside a transaction: a count that is rolled back did not happen. Without its database nobody is
        refused here; whoever needs the database fails for that reason, and not for ours.
        """
        window, passed = divmod(int(clock.now().timestamp()), self.seconds)
        key = f"rate:{self.name}:{window}:{keyed_hash(who)}"
        try:
            cache.add(key, 0, self.seconds)
            hits = cache.incr(key)
        except (DatabaseAway, ValueError):  # ValueError: the entry expired between the two lines
            logger.warning("Rate limit %s could not count", self.name, exc_info=True)
            return
        if hits > self.at_most:
            raise RateLimited(self.seconds - passed)
