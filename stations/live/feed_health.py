"""The health of each feed: first from its rows, then from its poller's events."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from eventbus import clock
from eventbus.operations.problem import Problem
from stations.events import PollFinished
from stations.feeds.active_feeds import ActiveFeed, active_feeds
from stations.feeds.registry import is_recorded, is_simulated
from stations.live.all_languages import in_every_language
from stations.live.last_polls import IsLastPoll
from stations.models import PollPlan, PollRun

LATE_AFTER_INTERVALS = 2  # one poll may be missed, for example when its process restarts
NO_POLL = "No poll has finished in time: start manage.py poll_stations, or the server."
STALE_AFTER_SECONDS = 3_600  # an hour: operators make an answer each minute, and at night some station reports
OLD_DATA = "The feed answers, but what it says is old: the operator has to look."
LATE_AFTER_SECONDS = 30  # and a poll may take its 15 s on a slow machine


class Condition(StrEnum):
    """The condition of a feed. Only `GOOD` may be called live."""

    GOOD = "good"
    WAITING = "waiting"  # not polled yet
    FAILING = "failing"  # the last poll failed
    STALE = "stale"  # the polls go well, but what the feed says is old
    LATE = "late"  # the last poll went well, but no further one comes: stopped, or no poller runs


ADVICE = {Condition.FAILING: "", Condition.LATE: NO_POLL, Condition.STALE: OLD_DATA}


class FeedHealth(NamedTuple):
    """The last poll of a feed, and the last successful one. None means none yet, as far as is known."""

    feed: ActiveFeed
    ok: bool = False
    at: datetime | None = None
    good_at: datetime | None = None
    late_at: datetime | None = None  # the next poll should finish before this
    reason: str = ""
    detail: str = ""
    updated_at: datetime | None = None  # when the feed made its last good answer, by its own word

    def after(self, poll: PollFinished) -> "FeedHealth":
        return FeedHealth(
            feed=self.feed,
            ok=poll.ok,
            at=poll.at,
            good_at=poll.at if poll.ok else self.good_at,
            late_at=_late_at(poll.at, poll.interval_ms),
            reason=poll.reason,
            detail=poll.detail,
            updated_at=poll.updated_at if poll.ok else self.updated_at,
        )

    def condition(self, now: datetime) -> Condition:
        if self.at is None:
            return Condition.WAITING
        if not self.ok:
            return Condition.FAILING
        if self.late_at and self.late_at < now:
            return Condition.LATE
        return Condition.STALE if self.stale_at and self.stale_at < now else Condition.GOOD

    @property
    def stale_at(self) -> datetime | None:
        """Return when its last answer becomes too old to be called live. Invented stations have a time of their own."""
        if self.updated_at is None or is_simulated(self.feed.name):
            return None
        return self.updated_at + timedelta(seconds=STALE_AFTER_SECONDS)

    def told(self) -> dict[str, Any]:
        return {
            "type": "feed",
            "name": self.feed.name,
            "contract": self.feed.contract,
            "simulated": is_simulated(self.feed.name),
            "recorded": is_recorded(self.feed.name),
            "ok": self.ok,
            "at": self.at,
            "good_at": self.good_at,
            "late_at": self.late_at,
            "updated_at": self.updated_at,
            "stale_at": self.stale_at,
            "reason": in_every_language(self.reason),
            "detail": self.detail,
        }


def feeds_remembered(feeds: Iterable[ActiveFeed] | None = None) -> list[FeedHealth]:
    """Return the health of these feeds, or of each of the settings, from its rows. Raises DatabaseError."""
    return [_stored_health(feed, runs) for feed, runs in _last_runs(feeds)]


def health_of(contract: str) -> FeedHealth | None:
    """Return the health of the feed that supplies this contract's stations, from its rows. Raises DatabaseError."""
    feed = active_feeds().feed_of(contract)
    return feeds_remembered([feed])[0] if feed else None


def _last_runs(feeds: Iterable[ActiveFeed] | None = None) -> list[tuple[ActiveFeed, list[Any]]]:
    """Return each feed with its last poll, and its last good one if that is another.

    One query reads them by their index, with the plan's `interval_ms` and `running`. A poll without a plan has None.
    """
    feeds = active_feeds().feeds if feeds is None else list(feeds)
    plan = PollPlan.objects.filter(feed=OuterRef("feed"))
    planned = {name: Subquery(plan.values(name)) for name in ("interval_ms", "running")}
    found: dict[str, list[Any]] = {feed.name: [] for feed in feeds}
    last = IsLastPoll([feed.name for feed in feeds])
    for run in PollRun.objects.filter(last).annotate(**planned).order_by("-started"):
        found[run.feed].append(run)
    return [(feed, found[feed.name]) for feed in feeds]


def problems() -> list[Problem]:
    """Return the feeds that fail or are late, for the operator's overview. One that an operator stopped is no fault."""
    titles = {Condition.FAILING: _("The feed %(name)s fails"), Condition.LATE: _("The feed %(name)s is not polled")}
    titles[Condition.STALE] = _("The feed %(name)s gives old data")
    running = [_stored_health(feed, runs) for feed, runs in _last_runs() if not (runs and runs[0].running is False)]
    found = [(health, health.condition(clock.now())) for health in running]
    return [
        Problem(
            ": ".join(filter(None, [health.reason, health.detail]))
            or (OLD_DATA if condition == Condition.STALE else NO_POLL),
            kind="feed",
            about=health.feed.name,
            since=health.good_at,
            heading=titles[condition] % {"name": health.feed.name},
            page="stations:producer",
        )
        for health, condition in found
        if condition in titles
    ]


def _stored_health(feed: ActiveFeed, runs: list[Any]) -> FeedHealth:
    if not runs:
        return FeedHealth(feed)
    last = runs[0]
    ok = last.outcome == PollRun.Outcome.OK
    late_at = _late_at(last.started, last.interval_ms or 0)
    good = next((run for run in runs if run.outcome == PollRun.Outcome.OK), None)
    updated_at = good.updated_at if good else None
    return FeedHealth(
        feed, ok, last.started, good.started if good else None, late_at, last.reason, last.detail, updated_at
    )


def _late_at(asked_at: datetime, interval_ms: int) -> datetime:
    interval = timedelta(milliseconds=interval_ms or settings.STATIONS_POLL_INTERVAL_MS)
    return asked_at + LATE_AFTER_INTERVALS * interval + timedelta(seconds=LATE_AFTER_SECONDS)
