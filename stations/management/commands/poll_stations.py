"""`manage.py poll_stations`: poll feeds for their stations, once or until stopped."""

import json
import os
from contextlib import ExitStack, closing
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from eventbus import clock
from eventbus.operations.heartbeats import Heartbeat
from eventbus.processes.command_runner import on_signal
from eventbus.tracing import switch
from stations.feeds.feed_interface import PollFailed
from stations.feeds.feed_names import name_of
from stations.feeds.formats.jcdecaux import UnknownVersion
from stations.feeds.http import is_loopback
from stations.feeds.registry import UnknownFeed, feed_named
from stations.forecast.forecaster import start_in_process
from stations.models import PollPlan, PollRun
from stations.polling.poller import Poller, PollerThreads
from stations.services.poll_schedule import (
    SIMULATED_INTERVAL_MS_MIN,
    CallsOutOfRange,
    IntervalOutOfRange,
    plan_of,
    steer,
)

LOOK_SECONDS = 0.2  # between two checks for pollers that ended and calls that are used up


class Command(BaseCommand):
    help = "Ask feeds for their stations, record what changed and tell it: once, or until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--feed", action="append", help="jcdecaux:lyon, jcdecaux, simulator, gbfs:<address>; again for another"
        )
        parser.add_argument("--url", default="", help="ask the feed here: the API's base with its version")
        parser.add_argument("--once", action="store_true", help="one poll, whatever the plan says")
        parser.add_argument("--interval-ms", type=int, help="change the plan: from one poll to the next")
        parser.add_argument("--calls", type=int, help="change the plan: so many polls, then end; 0 is until stopped")
        parser.add_argument("--contracts", action="store_true", help="list what may follow jcdecaux: and end")
        parser.add_argument("--json", action="store_true", help="one JSON object a poll, one a line")

    def handle(self, *, url: str, once: bool, **options: Any) -> None:
        self._json: bool = options["json"]
        self._failed = False
        try:
            feeds = [_checked(feed, url) for feed in options["feed"] or settings.STATIONS_FEEDS]
            if options["contracts"]:
                self._list_contracts(feeds, url)
            elif once:
                self._poll_once(feeds, url)
            else:
                self._plan(feeds, url, options["interval_ms"], options["calls"])
                self._poll_until_stopped(feeds, url, until_used_up=bool(options["calls"]))
                self._failed = self._failed and bool(options["calls"])  # an endless run has reported it already
        except (UnknownFeed, UnknownVersion, PollFailed, IntervalOutOfRange, CallsOutOfRange) as error:
            raise CommandError(str(error)) from None
        if self._failed:
            raise CommandError("At least one poll failed.")

    def _list_contracts(self, feeds: list[str], url: str) -> None:
        for name in feeds:
            feed = feed_named(name, url=url)
            try:
                for contract in feed.contracts():
                    told = (contract.commercial_name, contract.country, *contract.cities)
                    self.stdout.write(f"{contract.name}: {', '.join(filter(None, told))}")
            finally:
                feed.close()

    def _poll_once(self, feeds: list[str], url: str) -> None:
        # The current poll always finishes: a SIGTERM has nothing more to stop.
        with on_signal(lambda: None):
            for name in feeds:
                self._leave_alone(name_of(name))
                feed = feed_named(name, url=url)
                try:
                    self._say(Poller(feed).poll())
                finally:
                    feed.close()

    def _leave_alone(self, feed: str) -> None:
        """Raise CommandError while the feed's own Retry-After forbids a poll."""
        until = plan_of(feed, now=clock.now()).not_before
        if until and clock.now() < until:
            raise CommandError(f"{feed} asked for a rest: ask it again after {until:%Y-%m-%d %H:%M:%S} UTC.")

    def _plan(self, feeds: list[str], url: str, interval_ms: int | None, calls: int | None) -> None:
        if interval_ms is None and calls is None:
            return
        minimum_ms = SIMULATED_INTERVAL_MS_MIN if url and is_loopback(url) else None
        for name in feeds:
            steer(
                feed=name_of(name),
                now=clock.now(),
                running=True,
                interval_ms=interval_ms,
                calls=calls,
                minimum_ms=minimum_ms,
            )

    def _poll_until_stopped(self, feeds: list[str], url: str, *, until_used_up: bool) -> None:
        PollPlan.objects.exists()  # fails without its tables, for which the pollers would wait for ever
        switch.start("poll")
        # Poll in threads, so that this one is free for signals, however long a poll takes.
        pollers = PollerThreads(feeds, url=url, on_poll=self._say)
        heartbeat = Heartbeat("poll", lambda: ("active" if pollers.lead() else "standby", {}), end=os._exit)
        forecaster = ExitStack()
        with on_signal(pollers.stop), heartbeat, forecaster:
            pollers.start()
            if not until_used_up:
                forecaster.enter_context(closing(start_in_process()))
            while not pollers.wait(LOOK_SECONDS):
                if until_used_up and not any(plan_of(name_of(name), now=clock.now()).running for name in feeds):
                    pollers.stop()

    def _say(self, run: PollRun) -> None:
        ok = run.outcome == PollRun.Outcome.OK
        self._failed = self._failed or not ok
        if self._json:
            self.stdout.write(json.dumps(_told(run)))
        elif ok:
            self.stdout.write(
                f"{run.feed}: {run.fetched} fetched, {run.changed} changed, {run.appeared} appeared, "
                f"{run.gone} gone, {sum(run.bad.values())} bad, {run.ms} ms"
            )
            for reason, count in sorted(run.bad.items()):
                self.stdout.write(f"  bad: {count} {reason}")
        else:
            detail = f" ({run.detail})" if run.detail else ""
            self.stdout.write(f"{run.feed}: failed after {run.ms} ms: {run.reason}{detail}")
        self.stdout.flush()


def _checked(feed: str, url: str) -> str:
    """Return the feed's entry. Raises the errors of `feed_named`."""
    feed_named(feed, url=url).close()
    return feed.strip()


def _told(run: PollRun) -> dict[str, Any]:
    names = ("feed", "outcome", "fetched", "changed", "appeared", "gone", "bad", "ms", "reason", "detail")
    return {"at": run.started.isoformat()} | {name: getattr(run, name) for name in names}
