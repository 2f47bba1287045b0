"""`manage.py record_stations`: write a feed's answers to a file, which STATIONS_FEEDS=replay:<file> plays again."""

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from eventbus import clock
from eventbus.processes.command_runner import on_signal
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Feed, PollFailed
from stations.feeds.feed_names import is_replay
from stations.feeds.formats.gbfs import GbfsFeed
from stations.feeds.formats.jcdecaux import UnknownVersion
from stations.feeds.recordings.recorder import Recorder
from stations.feeds.recordings.recording_file import LAYOUT, BadRecording, Head, OtherFeed
from stations.feeds.registry import UnknownFeed, feed_named, is_simulated
from stations.services.poll_schedule import REAL_INTERVAL_MS_MIN, SIMULATED_INTERVAL_MS_MIN

logger = logging.getLogger(__name__)

INTERVAL_SECONDS_MAX = 86_400.0  # a day: a longer pause is cut when the file is played
INTERVAL_SECONDS = 60.0  # the real feeds make new answers about once a minute


class Command(BaseCommand):
    help = "Write the answers of one feed to a file, until stopped. STATIONS_FEEDS=replay:<file> plays it again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("feed", help="jcdecaux:lyon, simulator:lyon or gbfs:<address>")
        parser.add_argument("file", type=Path, help="a new file, such as lyon.jsonl.gz")
        parser.add_argument("--url", default="", help="ask the feed here: the API's base with its version")
        parser.add_argument("--minutes", type=float, help="end after so long; without it, when stopped")
        parser.add_argument(
            "--interval", type=float, default=INTERVAL_SECONDS, help="seconds between two polls; 60 by default"
        )
        parser.add_argument("--append", action="store_true", help="continue a file of the same feed")
        parser.add_argument("--json", action="store_true", help="one JSON object a poll, one a line")

    def handle(self, *, feed: str, file: Path, url: str, interval: float, **options: Any) -> None:
        self._json: bool = options["json"]
        minutes: float | None = options["minutes"]
        if minutes is not None and not 0 < minutes < float("inf"):
            raise CommandError("--minutes must be above zero.")
        shortest = (SIMULATED_INTERVAL_MS_MIN if is_simulated(feed) else REAL_INTERVAL_MS_MIN) / 1_000
        if not shortest <= interval <= INTERVAL_SECONDS_MAX:
            raise CommandError(f"--interval must be at least {shortest:g} seconds for this feed, and at most a day.")
        recorder = Recorder(file, secrets=[settings.JCDECAUX_API_KEY])
        try:
            source = _source(feed, url, recorder)
            recorder.begin(_head(source), goes_on=options["append"])
        except FileExistsError:
            raise CommandError(f"{file} exists: choose another file, or continue it with --append.") from None
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from None
        except (UnknownFeed, UnknownVersion, BadRecording, OtherFeed) as error:
            raise CommandError(str(error)) from None
        try:
            self._record(source, recorder, interval, minutes)
        finally:
            recorder.close()

    def _record(self, source: Feed, recorder: Recorder, interval: float, minutes: float | None) -> None:
        stopped = threading.Event()
        until = None if minutes is None else time.monotonic() + minutes * 60
        with on_signal(stopped.set):
            while not stopped.is_set():
                wait = max(interval, self._poll(source, recorder))
                if until is not None and time.monotonic() + wait > until:
                    break
                stopped.wait(wait)

    def _poll(self, source: Feed, recorder: Recorder) -> float:
        """Poll once and save the answers. Return the seconds that the feed wants to be left alone."""
        told: dict[str, Any] = {"feed": source.name, "at": f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"}
        rest = 0.0
        try:
            fetched = source.fetch()
            told |= {"ok": True, "stations": len(fetched.readings), "bad": sum(fetched.bad.values())}
        except PollFailed as failed:
            told |= {"ok": False, "reason": str(failed)}
            rest = failed.retry_after_seconds or 0.0
        except Exception:  # the answer that our reader stumbles over is the one to record
            logger.exception("Reading %s stopped on an error of our own", source.name)
            told |= {"ok": False, "reason": str(Failure.OUR_ERROR)}
        try:
            told["answers"] = recorder.save()
        except OSError as error:
            raise CommandError(f"The recording cannot be continued: {error.strerror}.") from None
        self._say(told)
        return rest

    def _say(self, told: dict[str, Any]) -> None:
        if self._json:
            self.stdout.write(json.dumps(told))
        else:
            what = f"{told['stations']} stations, {told['bad']} bad" if told["ok"] else f"failed: {told['reason']}"
            self.stdout.write(f"{told['at']} {told['feed']}: {what}, {told['answers']} answers recorded")
        self.stdout.flush()


def _source(feed: str, url: str, recorder: Recorder) -> Feed:
    if is_replay(feed):
        raise CommandError("A recording is recorded already: name the feed itself, such as jcdecaux:lyon.")
    source = feed_named(feed, url=url, through=recorder.through)
    if "@" in urlsplit(source.url).netloc:
        raise CommandError("An address with a user's name or password is never asked: leave them out.")
    if source.contract is None:
        raise CommandError(f"Record one city of {feed}, such as {feed}:lyon: a recording is played as one city.")
    return source


def _head(source: Feed) -> Head:
    return Head(
        recording=LAYOUT,
        feed=source.name,
        url=source.url,
        is_gbfs=isinstance(source, GbfsFeed),
        begun_at=clock.now(),
    )
