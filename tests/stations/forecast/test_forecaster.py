"""The forecaster's thread: it learns, forecasts and scores by itself, once, and ends with its process."""

from datetime import timedelta
from threading import Event
from time import monotonic
from typing import Any

import pytest
from django.test import Client

from eventbus.models import LeaseRow
from stations.forecast import forecaster, written
from stations.forecast.forecaster import Forecaster, ForecasterThread, Stopped
from stations.history.samples import DAY_MS, HOUR_MS, MINUTE_MS, moment, start_of
from stations.models import FeedSpan, Forecast, ForecastLesson, ForecastScore, PollRun
from tests.stations.forecast.simulated_weeks import CITY, FIRST, write_weeks

DAYS = 4
NOON = start_of(FIRST) + (DAYS - 1) * DAY_MS + 12 * HOUR_MS
DEADLINE_SECONDS = 20.0
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def noon(bus_clock: Any) -> None:
    """Three full days, and the next one until noon, in which the feed answers."""
    write_weeks(DAYS, stations=3)
    answered(NOON, bus_clock)


def answered(at: int, bus_clock: Any) -> None:
    FeedSpan.objects.update(until=moment(at))
    bus_clock.hold(moment(at + MINUTE_MS))
    PollRun.objects.all().delete()
    PollRun.objects.create(feed=CITY.feed, started=moment(at + MINUTE_MS), ms=1, outcome=PollRun.Outcome.OK)


def test_a_thread_beside_the_pollers_learns_and_forecasts(noon: None) -> None:
    thread = ForecasterThread().start()
    deadline = monotonic() + DEADLINE_SECONDS
    while not Forecast.objects.exists() and monotonic() < deadline:
        Event().wait(0.05)
    thread.close()

    assert Forecast.objects.get().made_at == moment(NOON)
    assert ForecastLesson.objects.count() == DAYS - 1
    assert LeaseRow.objects.get(name="stations-forecast").owner == "", "the next process takes over at once"


def test_what_was_forecast_is_scored_after_its_day_and_kept_longer(noon: None, bus_clock: Any, settings: Any) -> None:
    work = Forecaster()
    work.step()
    assert not ForecastScore.objects.exists()

    answered(start_of(FIRST) + DAYS * DAY_MS + HOUR_MS, bus_clock)
    work.step()
    assert {row.day for row in ForecastScore.objects.filter(forecasts__gt=0)} == {FIRST + timedelta(days=DAYS - 1)}

    settings.STATIONS_FORECAST_DAYS = 2
    assert written.forget(moment(NOON + 2 * DAY_MS + HOUR_MS)) == 1
    assert Forecast.objects.exists()
    assert ForecastScore.objects.exists()


def test_a_process_that_ends_leaves_the_day_to_the_next(noon: None, monkeypatch: Any) -> None:
    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        Forecaster(stop).step()
    assert not ForecastLesson.objects.exists()

    Forecaster().step()
    assert ForecastLesson.objects.count() == DAYS - 1


def test_programs_read_the_forecast_of_a_station(noon: None) -> None:
    address = "/stations/api/v1/feeds/simulator/stations/dublin-0"
    assert Client().get(address).json()["forecast"] is None

    Forecaster().step()
    told = Client().get(f"{address}?fresh=1").json()["forecast"]

    assert told["made_at"] == f"{moment(NOON):%Y-%m-%dT%H:%M:%SZ}"
    assert [one["minutes"] for one in told["chances"]] == [15, 30, 60]
    assert all(0 <= one["bike"] <= 1 and one["bike_method"] == "table" for one in told["chances"])


def test_data_that_the_operator_left_to_grow_old_is_not_forecast(noon: None, settings: Any, monkeypatch: Any) -> None:
    PollRun.objects.update(updated_at=moment(NOON - 2 * HOUR_MS))
    monkeypatch.setattr("stations.live.feed_health.is_simulated", lambda feed: False)

    forecaster.Forecaster().step()

    assert ForecastLesson.objects.exists()
    assert not Forecast.objects.exists()
