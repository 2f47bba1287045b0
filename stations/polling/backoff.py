"""The pauses between the polls of a feed that fails."""

BACKOFF_SECONDS_MAX = 300.0  # a feed that is down for long is polled every five minutes
# A feed that is polled every second or two is back on the map, and no fault any more, within fifteen seconds: so many
# failures in a row do not lengthen its pauses beyond these seconds. A rest of its circuit breaker comes on top.
SOON_SECONDS, SOON_FAILURES = 4.0, 150
BACKOFF_DOUBLINGS_MAX = 10  # by then the longest wait is reached, and only the number grows


def wait_seconds(interval_ms: int, failures: int) -> float:
    """Return the seconds from one poll to the next after so many failures in a row."""
    seconds = interval_ms / 1000
    backed_off: float = seconds * 2 ** min(failures, BACKOFF_DOUBLINGS_MAX)
    if seconds < SOON_SECONDS and failures <= SOON_FAILURES:
        return min(backed_off, SOON_SECONDS)
    return max(seconds, min(backed_off, BACKOFF_SECONDS_MAX))
