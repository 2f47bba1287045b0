"""A station's page tells the chances, by which method, and why there are none."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from stations.forecast import written
from stations.forecast.forecaster import Forecaster
from stations.history.samples import HOUR_MS, MINUTE_MS, moment, start_of
from stations.models import FeedSpan, Forecast, ForecastLesson, ForecastScore, PollRun, Station
from tests.stations.forecast.simulated_weeks import CITY, FIRST, write_weeks

DAYS = 6
NOON = start_of(FIRST + timedelta(days=DAYS)) + 12 * HOUR_MS
pytestmark = pytest.mark.django_db


def live_since(days: int, bus_clock: Any) -> int:
    """Write so many full days, and the next one until noon, in which the feed answers. Return the noon."""
    write_weeks(days + 1, stations=6)
    noon = start_of(FIRST + timedelta(days=days)) + 12 * HOUR_MS
    FeedSpan.objects.update(until=moment(noon))
    bus_clock.hold(moment(noon + MINUTE_MS))
    polled(noon + MINUTE_MS)
    return noon


def polled(at: int) -> None:
    PollRun.objects.all().delete()
    PollRun.objects.create(feed=CITY.feed, started=moment(at), ms=1, outcome=PollRun.Outcome.OK)


@pytest.fixture
def today(bus_clock: Any) -> Callable[[], None]:
    """Six full days, and the present one until noon. Call it to forecast."""
    live_since(DAYS, bus_clock)
    return Forecaster().step


def read(number: int = 0, language: str = "en") -> str:
    page = Client().get(f"/stations/simulator/dublin-{number}/", headers={"accept-language": language})
    told = page.content.decode().partition('id="forecast"')[2].partition("</section>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", told)).split())


def test_the_chances_stand_on_the_page_in_both_languages(today: Callable[[], None]) -> None:
    today()

    told = read()
    assert "12:15" in told
    assert "13:00" in told
    assert len(re.findall(r"\d+ % table", told)) >= 6, "nothing is scored yet, so the table is shown"
    assert "has not been proven better" in told
    assert "It has not been scored yet" in told
    assert (
        "Y aura-t-il un vélo ?"
        in Client().get("/stations/simulator/dublin-0/", headers={"accept-language": "fr"}).content.decode()
    )
    assert "n’y a pas été prouvé meilleur" in read(language="fr")


def test_a_proven_model_is_shown_with_its_scores(today: Callable[[], None]) -> None:
    for day in range(20):
        ForecastScore.objects.create(
            **CITY._asdict(), day=FIRST - timedelta(days=20 - day), horizon=60, target="bike",
            forecasts=1_000, model=1_000_000, table=2_000_000, as_now=3_000_000,
        )  # fmt: skip
    today()

    told = read()
    assert len(re.findall(r"\d+ % model", told.partition("Best")[0].partition("No station")[0])) == 1
    assert "of 20 days" in told
    assert "0.0010 0.0020 0.0030" in told


def test_a_closed_station_has_no_forecast_and_a_silent_feed_none_at_all(
    today: Callable[[], None], bus_clock: Any
) -> None:
    today()
    Station.objects.filter(station_id="dublin-0").update(status="CLOSED")

    assert "closed or whose figures are old" in read()
    assert "closed or whose figures are old" not in read(1)
    PollRun.objects.update(outcome=PollRun.Outcome.FAILED)
    assert "closed or whose figures are old" in read(1)


def test_a_station_that_lost_its_operator_is_left_out(today: Callable[[], None]) -> None:
    Station.objects.filter(station_id="dublin-0").update(connected=False)
    today()
    Station.objects.update(connected=True)

    assert "next quarter of an hour" in read()
    assert "12:15" in read(1)


def test_a_forecast_is_not_shown_once_it_is_past(today: Callable[[], None], bus_clock: Any) -> None:
    today()
    bus_clock.hold(moment(NOON + 31 * MINUTE_MS))
    polled(NOON + 31 * MINUTE_MS)

    assert "next quarter of an hour" in read()


def test_without_three_full_days_the_page_says_so(bus_clock: Any) -> None:
    live_since(2, bus_clock)
    Forecaster().step()

    assert ForecastLesson.objects.count() == 2
    assert not Forecast.objects.exists()
    assert "a forecast needs 3 full days" in read()


def test_who_walks_is_told_the_station_with_the_best_chance(today: Callable[[], None]) -> None:
    Station.objects.filter(number__gt=2).update(gone=True)
    today()
    row = Forecast.objects.get()
    chances = {0: (400, 300, 200), 1: (100, 990, 100), 2: (950, 100, 980)}
    entries = [
        one._replace(bike_table=chances.get(Station.objects.get(pk=one.station).number or 0, (0, 0, 0)))
        for one in written.unpacked(row.entries)
    ]
    row.delete()
    row.pk, row._state.adding, row.entries = None, True, written.packed(entries)
    row.save()
    # From STATION 0 on foot at 12:01: STATION 1 in 19 minutes, so at 12:30; STATION 2 in 39 minutes, so at 13:00.
    for number, metres in ((1, 1_100), (2, 2_250)):
        Station.objects.filter(number=number).update(lat=53.34 + metres / 111_195)
    assert "Best chance of a bike on arrival, on foot from here: STATION 1 , 19 min, 99 % table" in read()

    Station.objects.filter(number=1).update(status="CLOSED")
    assert "on foot from here: STATION 2 , 39 min, 98 % table" in read()
    Station.objects.filter(number=2).update(status="CLOSED")
    assert "on foot from here" not in read()
