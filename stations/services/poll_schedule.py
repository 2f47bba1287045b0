"""The plan of each feed's polls: a row that the producer's page changes and the poller reads."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, Value, When

from stations.feeds.active_feeds import feed_names
from stations.feeds.feed_names import GBFS, REPLAY, kind_of
from stations.feeds.registry import is_of_this_machine
from stations.models import PollPlan

SIMULATED_INTERVAL_MS_MIN = 200  # five polls a second of 25 ms each leave the database free for others
REAL_INTERVAL_MS_MIN = 10_000  # the operator refreshes once a minute; more often is no use to us and a load to them
INTERVAL_MS_MAX = 3_600_000  # an hour: longer is "stopped"
CALLS_MAX = 100_000  # more is "until stopped"

_ALONE = (GBFS, REPLAY)  # kinds of feeds that have no key in common


class IntervalOutOfRange(ValueError):
    """The interval is too short for the feed, or longer than an hour. Holds both limits in milliseconds."""

    def __init__(self, minimum_ms: int) -> None:
        super().__init__(f"The interval is from {minimum_ms} to {INTERVAL_MS_MAX} ms.")
        self.minimum_ms = minimum_ms
        self.maximum_ms = INTERVAL_MS_MAX


class CallsOutOfRange(ValueError):
    """The number of calls is below 0 (until stopped) or above CALLS_MAX."""

    def __init__(self) -> None:
        super().__init__(f"The number of calls is from 0 to {CALLS_MAX}.")


def interval_ms_min(feed: str) -> int:
    """Return the shortest interval of this feed."""
    return SIMULATED_INTERVAL_MS_MIN if is_of_this_machine(feed) else REAL_INTERVAL_MS_MIN


def interval_ms_of(feed: str) -> int:
    """Return the interval between two polls of this feed, planned or by default."""
    planned = PollPlan.objects.filter(feed=feed).values_list("interval_ms", flat=True).first()
    return planned or settings.STATIONS_POLL_INTERVAL_MS


def plan_of(feed: str, *, now: datetime) -> PollPlan:
    """Return the feed's plan, created if missing. By default the feed is polled until stopped."""
    defaults = {"interval_ms": settings.STATIONS_POLL_INTERVAL_MS, "changed_at": now}
    return PollPlan.objects.get_or_create(feed=feed, defaults=defaults)[0]


def steer(
    *,
    feed: str,
    now: datetime,
    running: bool | None = None,
    interval_ms: int | None = None,
    calls: int | None = None,
    minimum_ms: int | None = None,
) -> PollPlan:
    """Change the given values of the feed's plan and keep the rest. The poller applies the change within 200 ms.

    `calls`: the number of polls until it stops by itself; 0 is no limit. `minimum_ms`: the shortest interval allowed,
    by default the feed's own. Raises IntervalOutOfRange and CallsOutOfRange for values outside their limits.
    """
    minimum_ms = minimum_ms or interval_ms_min(feed)
    if interval_ms is not None and not minimum_ms <= interval_ms <= INTERVAL_MS_MAX:
        raise IntervalOutOfRange(minimum_ms)
    if calls is not None and not 0 <= calls <= CALLS_MAX:
        raise CallsOutOfRange
    wanted = {"running": running, "interval_ms": interval_ms, "calls_left": calls}
    given = {name: value for name, value in wanted.items() if value is not None}
    with transaction.atomic():
        plan_of(feed, now=now)
        PollPlan.objects.filter(feed=feed).update(**given, changed_at=now)
        return PollPlan.objects.get(feed=feed)


def hold_off(*, feed: str, until: datetime, now: datetime) -> None:
    """Forbid polls of this feed until `until`, and of every feed that shares its key. Other feeds share nothing."""
    source = kind_of(feed)
    of_source = Q(feed=source) | Q(feed__startswith=f"{source}:") if source not in _ALONE else Q(feed=feed)
    for name in sorted({feed, *feed_names()}):
        if name == feed or (kind_of(name) == source and source not in _ALONE):
            plan_of(name, now=now)
    plans = PollPlan.objects.filter(of_source, Q(not_before=None) | Q(not_before__lt=until))
    with transaction.atomic():
        # Lock in one order everywhere, so that two pollers never deadlock.
        held = list(plans.select_for_update().order_by("feed").values_list("pk", flat=True))
        PollPlan.objects.filter(pk__in=held).update(not_before=until)


def call_made(feed: str) -> None:
    """Count one of the planned calls as done. After the last one the feed stops."""
    PollPlan.objects.filter(feed=feed, running=True, calls_left__gt=0).update(
        running=Case(When(calls_left__gt=1, then=Value(True)), default=Value(False)), calls_left=F("calls_left") - 1
    )
