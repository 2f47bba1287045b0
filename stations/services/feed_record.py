"""The record of a feed: how often it answered, with how fresh and how readable rows, and a score of the three."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, F, Q

from stations.models import PollRun, Station

RECORD_HOURS = 24  # looked back: a day and a night
FRESH_SECONDS_MAX = 300  # from the feed's own time to our poll: feeds claim to be made anew each minute


class FeedRecord(NamedTuple):
    """The figures of a feed. Shares are from 0 to 1, None without a poll or a row. `score` is their product."""

    polls: int
    answered: float | None
    fresh: float | None  # of the answers that say when they were made
    listed: int
    frozen: int
    held: int
    readable: float | None

    @property
    def score(self) -> int | None:
        parts = [part for part in (self.answered, self.fresh, self.readable) if part is not None]
        if self.answered is None:
            return None
        product = 100.0
        for part in parts:
            product *= part
        return round(product)


def record_of(feed: str, *, now: datetime) -> FeedRecord:
    """Return the record of a feed's polls since RECORD_HOURS ago, and of its rows as they are."""
    polls = PollRun.objects.filter(feed=feed, started__gte=now - timedelta(hours=RECORD_HOURS)).aggregate(
        all=Count("pk"),
        ok=Count("pk", filter=Q(outcome=PollRun.Outcome.OK)),
        timed=Count("pk", filter=Q(outcome=PollRun.Outcome.OK, updated_at__isnull=False)),
        fresh=Count(
            "pk",
            filter=Q(outcome=PollRun.Outcome.OK, updated_at__gte=F("started") - timedelta(seconds=FRESH_SECONDS_MAX)),
        ),
    )
    rows = Station.objects.filter(feed=feed, gone=False).aggregate(
        all=Count("pk"), frozen=Count("pk", filter=~Q(bad="")), held=Count("pk", filter=~Q(held=""))
    )
    return FeedRecord(
        polls=polls["all"],
        answered=_share(polls["ok"], polls["all"]),
        fresh=_share(polls["fresh"], polls["timed"]),
        listed=rows["all"],
        frozen=rows["frozen"],
        held=rows["held"],
        readable=_share(rows["all"] - rows["frozen"] - rows["held"], rows["all"]),
    )


def _share(part: int, whole: int) -> float | None:
    return max(part, 0) / whole if whole else None
