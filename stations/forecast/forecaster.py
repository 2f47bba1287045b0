"""The forecaster: learns full days, writes the forecasts of each quarter of an hour, and scores them. One is active."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections, connections, reset_queries

from eventbus import clock
from eventbus.consuming.thread_liveness import Pulse
from eventbus.database.leases import Lease
from eventbus.errors import LeaseLost
from stations.feeds.active_feeds import active_feeds
from stations.forecast import learning, scoring, written
from stations.forecast.learning import City, Knowledge, day_to_learn, knowledge_of, learn
from stations.history.samples import moment
from stations.live.feed_health import Condition, health_of
from stations.models import Station

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between two looks: a forecast is due each quarter of an hour
STUDY_SECONDS = 60.0  # between two looks for days to learn or score: some queries a city, for one day in 24 hours
REST_SECONDS = 0.02  # after each station that is learned, some 3 ms of work: a poll in this process hardly feels it
FORGET_SECONDS = 600.0  # between two deletions of old rows
LEASE_SECONDS = 60.0  # without a beat
BEAT_SECONDS = 10.0  # between two beats, also while days are learned
CLOSE_SECONDS = 10.0  # a step looks for the stop after each station


class Stopped(Exception):
    """The process ends: leave the step. What it has not written, the next process writes."""


class Forecaster:
    """The forecasts of all cities that the site shows. Use it in one thread. It keeps what it knows until it learns."""

    def __init__(self, rest: Callable[[], object] = lambda: None) -> None:
        self._rest = rest
        self._known: dict[City, tuple[date, Knowledge | None, list[dict[str, Any]]]] = {}
        self._written: dict[City, int] = {}  # the last moment known to be written
        self._forgot = float("-inf")

    def write(self) -> None:
        """Write the forecasts that are due."""
        if written.due_at(clock.now()) is not None:
            self._write_all(cities())

    def step(self) -> None:
        """Do all that is due: forecast, and learn and score the full days."""
        shown = cities()
        self._write_all(shown)
        for city in shown:
            while self._study(city):
                self._write_all(shown)  # the next moment may have come, and what was learned may allow a first forecast
        if time.monotonic() >= self._forgot + FORGET_SECONDS:
            self._forgot = time.monotonic()
            written.forget(clock.now())
            learning.forget_old(clock.now().date())
            scoring.forget_old(clock.now().date())

    def _study(self, city: City) -> bool:
        """Learn a day, or score one. Return False if none is due."""
        if day := day_to_learn(city):
            learn(city, day, self._rest)
        elif day := scoring.day_to_score(city):
            scoring.score_day(city, day)
        else:
            return False
        self._known.pop(city, None)
        self._rest()
        return True

    def _write_all(self, shown: list[City]) -> None:
        at = written.due_at(clock.now())
        if at is not None:
            for city in shown:
                self._write(city, at)

    def _write(self, city: City, at: int) -> None:
        if self._written.get(city) == at or _is_old(city):
            return
        if written.is_written(city, at):
            self._written[city] = at
            return
        known, verdicts = self._knowledge(city, moment(at).date())
        if known is not None:
            written.write(city, at, known, verdicts)
        self._rest()

    def _knowledge(self, city: City, day: date) -> tuple[Knowledge | None, list[dict[str, Any]]]:
        if city not in self._known or self._known[city][0] != day:
            self._known[city] = (day, knowledge_of(city, day, self._rest), scoring.verdicts_of(city, day))
        return self._known[city][1:]


class ForecasterThread:
    """A forecaster in a thread of its own, beside the pollers. Of all processes one has the lease and works."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._lease = Lease("stations-forecast", seconds=LEASE_SECONDS)
        self._leads = False
        self._beaten = self._studied = float("-inf")
        self._thread = threading.Thread(target=self._run, name="stations-forecast", daemon=True)

    def start(self) -> "ForecasterThread":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        """Stop, and wait for the current step."""
        self.stop()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        with Pulse("The forecaster of the stations").alive() as pulse:
            forecaster = Forecaster(lambda: self._pause(pulse))
            while not self._stop.is_set():
                pulse.beat()
                try:
                    self._work(forecaster)
                except Stopped:
                    break
                except LeaseLost:
                    self._leads = False
                except (DatabaseError, InterfaceError) as error:
                    logger.warning("The forecast waits for the database: %s", error)
                except Exception:
                    logger.exception("The forecast begins anew after an error of our own")
                    forecaster = Forecaster(lambda: self._pause(pulse))
                self._stop.wait(LOOK_SECONDS)
        self._leave()

    def _work(self, forecaster: Forecaster) -> None:
        close_old_connections()
        reset_queries()
        if self._leads:
            self._beat()
        else:
            self._leads = self._lease.acquire()
        if not self._leads:
            return
        if time.monotonic() >= self._studied + STUDY_SECONDS:
            forecaster.step()
            self._studied = time.monotonic()
        else:
            forecaster.write()

    def _beat(self) -> None:
        if time.monotonic() >= self._beaten + BEAT_SECONDS:
            self._beaten = time.monotonic()
            self._lease.beat()

    def _pause(self, pulse: Pulse) -> None:
        pulse.beat()
        self._beat()
        if self._stop.wait(REST_SECONDS):
            raise Stopped

    def _leave(self) -> None:
        try:
            if self._leads:
                self._lease.release()
        except (DatabaseError, InterfaceError):
            logger.warning("The lease of the forecast is left to its end")
        finally:
            connections.close_all()


def cities() -> list[City]:
    """Return the cities that the site shows."""
    shown = Station.objects.filter(active_feeds().condition(), gone=False)
    return [City(*names) for names in shown.values_list("feed", "contract").distinct().order_by("feed", "contract")]


def start_in_process() -> ForecasterThread:
    return ForecasterThread().start()


def _is_old(city: City) -> bool:
    """Return True if the feed answers, but what it says is old."""
    health = health_of(city.contract)
    return health is not None and health.condition(clock.now()) == Condition.STALE
