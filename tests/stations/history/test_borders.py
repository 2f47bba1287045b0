"""The past stays true at its borders: of what is kept, of a day that is being packed, and of a wrong clock."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from msgspec.structs import replace

from stations.feeds.feed_interface import Change
from stations.history import days, reading
from stations.history.recording import record_answer, record_change
from stations.history.samples import DAY_MS, HOUR_MS, moment
from stations.models import RecentChange, Station, StationDay
from stations.services import recording
from stations.services.station_events import changed_event
from tests.stations.history.test_rollup import FEED, MAY, MINUTE, START, answer, change, pack_all, station
from tests.stations.readings import BELLECOUR, STATE

__all__ = ["station"]  # the fixture

KEPT_DAYS = 3
TEN_DAYS = 10


@pytest.fixture(autouse=True)
def _today(station: Station, bus_clock: Any) -> None:
    bus_clock.hold(MAY + timedelta(days=TEN_DAYS))


def answered_for(count: int) -> None:
    for at in (START, START + count * DAY_MS):
        record_answer(answer(at, interval_ms=count * DAY_MS))


def bikes_on(station: Station, day: int) -> set[float | None]:
    hours = reading.hours_between(station, START + day * DAY_MS, START + (day + 1) * DAY_MS)
    return {hour.mean for hour in hours}


@pytest.mark.parametrize("late", [1, TEN_DAYS - KEPT_DAYS], ids=["before the border", "on the first kept day"])
def test_a_late_change_at_the_border_takes_no_state_from_the_days_after_it(
    station: Station, settings: Any, late: int
) -> None:
    record_change(change(START, bikes=5))
    answered_for(TEN_DAYS)
    pack_all()
    settings.STATIONS_HISTORY_DAYS = KEPT_DAYS
    days.forget(today=(MAY + timedelta(days=TEN_DAYS)).date())

    record_change(change(START + late * DAY_MS + 12 * HOUR_MS, version=2, bikes=9))
    pack_all()

    first = TEN_DAYS - KEPT_DAYS
    assert StationDay.objects.count() == KEPT_DAYS
    assert reading.hours_between(station, START + first * DAY_MS, START + (first + 1) * DAY_MS)[0].mean == 5
    assert bikes_on(station, first + 1) == {5.0 if late < first else 9.0}


def test_a_station_that_changed_last_before_the_border_is_known_after_it(station: Station, settings: Any) -> None:
    settings.STATIONS_HISTORY_DAYS = KEPT_DAYS
    record_change(change(START, bikes=5))
    answered_for(TEN_DAYS)

    pack_all()

    assert bikes_on(station, TEN_DAYS - 1) == {5.0}


@pytest.fixture
def second() -> Station:
    """A station of the same city, whose days are packed after the first one's."""
    key = BELLECOUR._replace(station_id="2")
    recording.upsert_stations([Change(key, 1, (), STATE, None)], asked_at=MAY, now=MAY)
    record_change(changed_event(Change(key, 1, (), replace(STATE, bikes=7), None), moment(START)))
    return Station.objects.get(station_id="2")


def test_a_city_is_whole_while_a_day_is_being_packed(
    client: Client, station: Station, second: Station, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIONS_FEEDS = [FEED]
    record_change(change(START, bikes=5))
    answered_for(2)
    pack_all()
    record_answer(answer(START + 4 * DAY_MS, interval_ms=2 * DAY_MS))
    monkeypatch.setattr(days, "STATIONS_AT_ONCE", 1)
    assert days.pack_some(FEED) == 1

    at = START + 3 * DAY_MS + HOUR_MS
    told = client.get(reverse("stations:moment", args=["lyon"]), {"at": at // 1000}).json()
    hours = reading.city_hours(FEED, "lyon", (MAY + timedelta(days=3)).date())

    assert told["sums"]["bikes"] == 12
    assert {pk: {hour.mean for hour in some} for pk, some in hours.items()} == {station.pk: {5.0}, second.pk: {7.0}}
    pack_all()
    assert reading.city_hours(FEED, "lyon", (MAY + timedelta(days=3)).date()) == hours


def test_an_answer_of_a_clock_that_was_ahead_ends_no_history(station: Station) -> None:
    record_answer(answer(START))
    record_answer(answer(START + 400 * DAY_MS))  # for one poll the clock was wrong
    record_change(change(START, bikes=5))
    for at in range(START + MINUTE, START + HOUR_MS, MINUTE):
        record_answer(answer(at))

    pack_all()

    assert (StationDay.objects.count(), RecentChange.objects.count()) == (0, 1), "no day is over yet"
    assert reading.hours_between(station, START, START + HOUR_MS)[0].known_ms == HOUR_MS - MINUTE


def test_answers_of_a_replay_fill_the_time_that_was_lost() -> None:
    for at in (0, 60, 180):  # minutes: each begins a span
        record_answer(answer(START + at * MINUTE))

    for at in [*range(1, 60), 90, 177]:
        record_answer(answer(START + at * MINUTE))

    spans = [(since - START, until - START) for since, until in days.spans_of(FEED, START, START + DAY_MS)]
    assert [(since // MINUTE, until // MINUTE) for since, until in spans] == [(0, 60), (90, 90), (177, 180)]
