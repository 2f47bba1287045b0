"""A check for truncated answers: missing stations count as gone only if the next answer lacks the same ones."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from django.db.models import Q

from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Fetched, Held, Key, PollFailed
from stations.models import PollRun

SHORTENED_SHARE_MAX = 0.2  # of the stations: a city closes a few at a time, a truncated answer lacks more


def doubt_shortened(fetched: Fetched, held: Mapping[Key, Held], *, feed: str) -> None:
    """Raise PollFailed if an answer lacks more than SHORTENED_SHARE_MAX of the held stations for the first time.

    If the next answer lists exactly the same stations, it is believed.
    """
    here = {key for key, station in held.items() if not station.state.gone}
    missing = here - fetched.listed
    if not fetched.complete or len(missing) <= SHORTENED_SHARE_MAX * len(here):
        return
    told = f"{len(missing)} of {len(here)} stations are missing, list {_digest(fetched.listed)}"
    if _told_last(feed) != told:
        raise PollFailed(Failure.SHORTENED, told)


def _told_last(feed: str) -> str:
    """Return the detail of the feed's last answer if that was refused as shortened, else "".

    It reads the poll's row, since another process may have polled.
    """
    runs = PollRun.objects.filter(feed=feed).order_by("-started", "-pk")
    answered = runs.filter(Q(outcome=PollRun.Outcome.OK) | Q(reason=Failure.SHORTENED))
    return answered.values_list("detail", flat=True).first() or ""


def _digest(keys: Iterable[Key]) -> str:
    """Return a digest that is equal for the same stations in any order."""
    return blake2b(repr(sorted(keys)).encode(), digest_size=8).hexdigest()
