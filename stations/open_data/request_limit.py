"""The limit of requests for open data, counted in this process.

A count in the database would cost more than the answer.
"""

from collections import Counter
from threading import Lock

from eventbus import clock

WINDOW_SECONDS = 60
REQUESTS_PER_NETWORK_MAX = 6_000  # in a window and a process: twice the 50 a second that the site promises
NETWORKS_MAX = 20_000  # counted at once, some 2 MB; beyond that all further ones share one count

_lock = Lock()
_counts: Counter[str] = Counter()
_window = -1


class TooManyRequests(Exception):
    """This network has asked enough in this window. Holds the seconds to its end."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many requests from your network: ask again in {retry_after_seconds} seconds.")
        self.retry_after_seconds = retry_after_seconds


def count_request(network: str) -> None:
    """Count one request. Raises TooManyRequests above REQUESTS_PER_NETWORK_MAX in a window."""
    global _window
    window, passed = divmod(int(clock.monotonic()), WINDOW_SECONDS)
    with _lock:
        if window != _window:
            _window = window
            _counts.clear()
        who = network if network in _counts or len(_counts) < NETWORKS_MAX else ""
        _counts[who] += 1
        too_many = _counts[who] > REQUESTS_PER_NETWORK_MAX
    if too_many:
        raise TooManyRequests(WINDOW_SECONDS - passed)


def forget() -> None:
    """Forget all counts. For tests."""
    _counts.clear()
