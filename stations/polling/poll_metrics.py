"""Count polls for Prometheus, by feed and by the reason why they failed."""

from eventbus.measuring.series import Counter, Histogram
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import PollFailed

OK = "ok"

POLLS = Counter("stations_polls_total", "Polls of a feed by outcome.", "feed", "outcome", limit=300)
DURATION = Histogram(
    "stations_poll_duration_seconds",
    "Seconds from asking a feed until its changes are recorded.",
    "feed",
    bounds=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0),
    limit=40,
)


def polled(feed: str, failed: PollFailed | None, *, seconds: float) -> None:
    """Count a recorded poll."""
    POLLS.add(feed, OK if failed is None else _outcome(failed.reason))
    DURATION.observe(feed, seconds=seconds)


def _outcome(reason: str) -> str:
    return reason.name.lower() if isinstance(reason, Failure) else "failed"
