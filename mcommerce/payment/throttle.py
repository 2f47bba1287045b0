"""A limit per visitor and thing, counted in the cache: enough to keep a robot from spending the company's patience."""

from django.core.cache import cache

WINDOW_SECONDS = 60


def allows(what: str, *, at_most: int) -> bool:
    """Count one more of `what` in this window; False past `at_most`."""
    key = f"payment-throttle:{what}"
    cache.add(key, 0, WINDOW_SECONDS)
    try:
        return int(cache.incr(key)) <= at_most
    except ValueError:  # the window ended between the two lines: a new one begins with this one
        return True
