"""A rate limit: at most so many hits in a time, for each counted key."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from math import ceil

from django.core.cache import cache
from django.db import Error as DatabaseUnavailable

from eventbus import clock
from mcommerce.rate_limits.visitor_identity import keyed_hash

logger = logging.getLogger(__name__)


class RateLimited(Exception):
    """The limit is exceeded; `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too often: try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class RateLimit:
    """At most `at_most` hits in a window of `seconds`, for each `who`. Windows begin at multiples of their length.

    With `slides`, the hits of the window before count too, less and less as the window passes. So nobody can use two
    whole windows within a short time.
    """

    name: str
    at_most: int
    seconds: int
    slides: bool = False

    def hit(self, who: object) -> None:
        """Count one hit of `who`. Raises RateLimited above the limit.

        Call it outside a transaction: a rollback would lose the count. If the database is unavailable, every hit is
        allowed: work that needs the database fails anyway.
        """
        window, passed = divmod(int(clock.now().timestamp()), self.seconds)
        key = self._key(who, window)
        try:
            cache.add(key, 0, self.seconds * (1 + self.slides))
            hits = cache.incr(key)
            before = min(cache.get(self._key(who, window - 1), 0), self.at_most) if self.slides else 0
        except (DatabaseUnavailable, ValueError):  # ValueError: the entry expired between the two lines
            logger.warning("Rate limit %s could not count", self.name, exc_info=True)
            return
        if hits + ceil(before * (1 - passed / self.seconds)) > self.at_most:
            raise RateLimited(self.seconds - passed + ceil(self.slides * self.seconds / self.at_most))

    def take_back(self, who: object) -> None:
        """Count one hit of `who` less in the present window, after one that did no harm."""
        with suppress(DatabaseUnavailable, ValueError):  # ValueError: this window has no hit, that of the hit is over
            cache.incr(self._key(who, int(clock.now().timestamp()) // self.seconds), -1)

    def _key(self, who: object, window: int) -> str:
        return f"rate:{self.name}:{window}:{keyed_hash(who)}"
