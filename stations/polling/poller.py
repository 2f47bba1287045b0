"""The poller: polls a feed again and again and records the changes. One is active for each feed."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connections, reset_queries

from eventbus import clock
from eventbus.consuming.thread_liveness import Pulse
from eventbus.database.leases import LEASE_SECONDS, Lease
from eventbus.errors import LeaseLost
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Feed, Held, Key, PollFailed, diff, unreadable, updated_at
from stations.feeds.quarantine import set_apart
from stations.feeds.registry import feed_named, is_of_this_machine
from stations.models import PollPlan, PollRun
from stations.polling import poll_metrics
from stations.polling.backoff import wait_seconds
from stations.polling.last_seen import with_last_seen
from stations.polling.truncated_answers import doubt_shortened
from stations.polling.upkeep import Upkeep
from stations.services import recording
from stations.services.poll_schedule import call_made, interval_ms_min, plan_of

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.15  # between two looks at the plan: a change of it must take effect within 200 ms
JITTER = 0.05  # of the interval, so that pollers started together do not stay together
ATTEMPTS_MAX = 2  # attempts of one poll if another poller was faster: the second works on rows loaded again
BEAT_SECONDS = 1.0  # between two heartbeats of the lease, while no poll runs
REAL_LEASE_SECONDS = 20.0  # no heartbeat while a poll waits for its feed, at most 15 s
SIMULATED_BUDGET_SECONDS = 2.0  # below the bus's own lease, so that a restarted site polls again after that
CLOSE_SECONDS = 20.0  # a running poll ends within its budget of 15 s


class Poller:
    """A poller of one feed, by the feed's plan. If the feed fails, it keeps the stations as last recorded.

    Use it in one thread. With a `lease` it polls only while it holds that. Setting `stop` ends `run`.
    """

    def __init__(self, feed: Feed, *, lease: Lease | None = None, stop: threading.Event | None = None) -> None:
        self.feed = feed
        self._lease = lease
        self._stop = stop or threading.Event()
        self._leading, self._stands_by = lease is None, False
        self._beaten = float("-inf")
        self._held: dict[Key, Held] | None = None
        self._answered_at: datetime | None = None
        self._failures = 0

    def state_age(self) -> timedelta | None:
        """Return the time since the feed last answered; None if it never did."""
        return None if self._answered_at is None else clock.now() - self._answered_at

    @property
    def leads(self) -> bool:
        """True while this is the active poller of its feed. For any thread."""
        return self._leading

    def poll(self) -> PollRun:
        """Poll once and record it. Raises LeaseLost, DatabaseError; every other failure is recorded and returned."""
        for _ in range(ATTEMPTS_MAX):
            asked_at, began = clock.now(), time.perf_counter()
            try:
                return self._ask_and_record(asked_at, began)
            except recording.Overtaken:
                # The fetched rows may be older than those the other poller recorded: drop them too.
                self._held = None
                failed = PollFailed(Failure.OVERTAKEN)
            except (DatabaseError, InterfaceError, LeaseLost):
                self._held = None
                raise
            except Exception:
                logger.exception("Polling %s stopped on an error of our own", self.feed.name)
                failed = PollFailed(Failure.OUR_ERROR)
                break
        return self._record_failure(failed, asked_at, began)

    def run(self, on_poll: Callable[[PollRun], None] = lambda run: None) -> None:
        """Poll by the plan until stopped. Survives outages of the feed and of the database."""
        with Pulse(f"The poller of {self.feed.name}").alive() as pulse:
            self._poll_on(on_poll, pulse)
        self._leave()

    def _poll_on(self, on_poll: Callable[[PollRun], None], pulse: Pulse) -> None:
        schedule, upkeep = _PollSchedule(self.feed.name), Upkeep(self.feed.name, self._fence)
        while not self._stop.is_set():
            pulse.beat()
            try:
                with _unit_of_work():
                    plan = plan_of(self.feed.name, now=clock.now())
                    if self._leads() and schedule.is_due(plan, self._failures):
                        on_poll(self.poll())
                        if plan.calls_left:
                            call_made(self.feed.name)
                    upkeep.step(leads=self._leading)
            except LeaseLost:
                logger.warning("Another poller took over %s", self.feed.name)
                self._leading = False
            except (DatabaseError, InterfaceError) as error:
                if isinstance(error, OperationalError | InterfaceError):
                    logger.warning("Polling %s waits for the database: %s", self.feed.name, error)
                else:
                    logger.exception("Polling %s begins anew after an error of our own", self.feed.name)
                self._stop.wait(BEAT_SECONDS)
            self._stop.wait(TICK_SECONDS)

    def _ask_and_record(self, asked_at: datetime, began: float) -> PollRun:
        if self._held is None:
            self._load()
        assert self._held is not None
        try:
            fetched = self.feed.fetch()
            doubt_shortened(fetched, self._held, feed=self.feed.name)
            set_apart(fetched, asked_at, recording.rulings_of(self.feed.name))
        except PollFailed as failed:
            return self._record_failure(failed, asked_at, began)
        poll = recording.Poll(
            feed=self.feed.name,
            asked_at=asked_at,
            began=began,
            fetched=len(fetched.readings),
            bad=fetched.bad,
            changes=with_last_seen(diff(self._held, fetched), self._answered_at),
            updated_at=updated_at(fetched, asked_at),
        )
        run = self._record(poll)
        self._answered_at = asked_at
        self._failures = 0
        return run

    def _record_failure(self, failed: PollFailed, asked_at: datetime, began: float) -> PollRun:
        self._failures += 1
        known = (
            f"its state is of {self._answered_at:%Y-%m-%d %H:%M:%S} UTC" if self._answered_at else "it never answered"
        )
        logger.warning("Polling %s failed: %s (%s)", self.feed.name, str(failed).rstrip("."), known)
        marks = with_last_seen(unreadable(self._held or {}, failed.faults), self._answered_at)
        poll = recording.Poll(feed=self.feed.name, asked_at=asked_at, began=began, changes=marks, failed=failed)
        return self._record(poll)

    def _record(self, poll: recording.Poll) -> PollRun:
        run = recording.record_poll(poll=poll, now=clock.now(), fence=self._fence)
        poll_metrics.polled(poll.feed, poll.failed, seconds=time.perf_counter() - poll.began)
        # The transaction has committed: the held state must never be ahead of the rows.
        if self._held is not None:
            changed = {one.key: Held(one.version, one.state, one.reported_at) for one in poll.changes}
            self._held |= changed
        return run

    def _load(self) -> None:
        self._held = recording.load_held(self.feed.name)
        answered = PollRun.objects.filter(feed=self.feed.name, outcome=PollRun.Outcome.OK).order_by("-started")
        self._answered_at = answered.values_list("started", flat=True).first()

    def _fence(self) -> None:
        if self._lease is not None:
            self._lease.check()

    def _leads(self) -> bool:
        """Return True if this is the active poller of its feed. Renews its lease, or tries to get it."""
        if self._lease is None or time.monotonic() < self._beaten + BEAT_SECONDS:
            return self._leading
        self._beaten = time.monotonic()
        if self._leading:
            self._lease.beat()
        elif self._lease.acquire():
            self._leading, self._stands_by = True, False
            self._held = None  # it dates from before the other poller
            logger.info("This process polls %s", self.feed.name)
        elif not self._stands_by:
            self._stands_by = True
            logger.info("Another process polls %s; this one stands by", self.feed.name)
        return self._leading

    def _leave(self) -> None:
        self.feed.close()
        try:
            if self._lease is not None and self._leading:
                self._lease.release()
        finally:
            connections.close_all()


class _PollSchedule:
    """The time of the next poll, by the current plan."""

    def __init__(self, feed: str) -> None:
        self._soonest_seconds = interval_ms_min(feed) / 1000
        self._last = float("-inf")
        self._jitter = 1.0
        self._steered_at: datetime | None = None
        self._is_steered = False

    def is_due(self, plan: PollPlan, failures: int) -> bool:
        """Return True if a poll is due now, and then restart the interval."""
        if self._steered_at != plan.changed_at:
            self._steered_at, self._is_steered = plan.changed_at, True
        if not plan.running or (plan.not_before and clock.now() < plan.not_before):
            return False
        wait = wait_seconds(plan.interval_ms, failures) * self._jitter
        if self._is_steered:
            # A new plan must show its effect at once: neither a long interval nor a backoff delays the next poll.
            wait = min(wait, self._soonest_seconds)
        now = time.monotonic()
        if now < self._last + wait:
            return False
        self._last = now
        self._jitter = random.uniform(1 - JITTER, 1 + JITTER)
        self._is_steered = False
        return True


@contextmanager
def _unit_of_work() -> Iterator[None]:
    """Run one unit of work. Drop broken connections around it, and queries kept for debugging before it."""
    close_old_connections()
    reset_queries()
    try:
        yield
    finally:
        close_old_connections()


class PollerThreads:
    """The pollers of this process, one thread for each feed."""

    def __init__(
        self, feeds: list[str], *, url: str = "", on_poll: Callable[[PollRun], None] = lambda run: None
    ) -> None:
        self._stop = threading.Event()
        self._pollers: dict[str, Poller] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(name, url, on_poll), name=f"stations-poller-{name}", daemon=True)
            for name in feeds
        ]

    def start(self) -> "PollerThreads":
        for thread in self._threads:
            thread.start()
        return self

    def lead(self) -> bool:
        """Return True if one of them is the active poller of its feed."""
        return any(poller.leads for poller in list(self._pollers.values()))

    def stop(self) -> None:
        """Let each poller finish its current poll and end."""
        self._stop.set()

    def wait(self, seconds: float) -> bool:
        """Wait at most so long for all to end. Return True if they did."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Stop, and wait for the current polls."""
        self.stop()
        self.wait(CLOSE_SECONDS)

    def _run(self, name: str, url: str, on_poll: Callable[[PollRun], None]) -> None:
        ours = is_of_this_machine(name)
        limits = dict.fromkeys(("budget_seconds", "read_seconds"), SIMULATED_BUDGET_SECONDS) if ours else {}
        feed = feed_named(name, url=url, sleep=self._stop.wait, **limits)
        lease = Lease(f"poller:{feed.name}", seconds=LEASE_SECONDS if ours else REAL_LEASE_SECONDS)
        self._pollers[name] = Poller(feed, lease=lease, stop=self._stop)
        self._pollers[name].run(on_poll)


def start_in_process() -> PollerThreads:
    """Poll the feeds of the settings in threads of this process, until `close()`."""
    return PollerThreads(settings.STATIONS_FEEDS).start()
