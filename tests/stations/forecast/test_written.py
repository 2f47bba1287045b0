"""The forecast sees nothing of the future, and its scores are those of what it wrote."""

from collections import defaultdict
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from stations.forecast import audit, scoring, written
from stations.forecast.learning import knowledge_of, learn
from stations.history import packing
from stations.history.reading import changes_between, city_at
from stations.history.samples import DAY_MS, HOUR_MS, MINUTE_MS, milliseconds, moment, start_of
from stations.models import FeedSpan, Forecast, ForecastLesson, ForecastScore, Station, StationDay, StationHours
from tests.stations.forecast.simulated_weeks import CITY, FIRST, forecast_day, learn_weeks, write_weeks

HOUR = timedelta(hours=1)
LEARNED = 5
TODAY = FIRST + timedelta(days=LEARNED)
pytestmark = pytest.mark.django_db


@pytest.fixture
def weeks() -> None:
    """A few stations, five learned days, and two more that come after them."""
    write_weeks(LEARNED + 2, stations=6)
    learn_weeks(LEARNED)


def rows() -> list[tuple[Any, bytes]]:
    return [(row.made_at, bytes(row.entries)) for row in Forecast.objects.order_by("made_at")]


def forget_after(at: int) -> None:
    """Leave the history as it was at this moment."""
    StationDay.objects.filter(day__gt=TODAY).delete()
    StationHours.objects.filter(day__gte=TODAY).delete()
    FeedSpan.objects.update(until=moment(at))
    for row in StationDay.objects.filter(day=TODAY):
        carried, changes = packing.unpack_changes(start_of(TODAY), row.changes)
        kept = [one for one in changes if one.at <= at]
        StationDay.objects.filter(pk=row.pk).update(changes=packing.pack_changes(start_of(TODAY), carried, kept))


def test_the_same_is_forecast_where_the_future_does_not_exist(weeks: None, bus_clock: Any) -> None:
    forecast_day(TODAY, bus_clock, every=8 * HOUR)
    at = start_of(TODAY) + 16 * HOUR_MS
    with_future = rows()[2:]
    Forecast.objects.all().delete()
    ForecastLesson.objects.all().delete()
    forget_after(at)

    learn_weeks(LEARNED)
    bus_clock.hold(moment(at + MINUTE_MS))
    assert written.write(CITY, at, knowledge_of(CITY, TODAY))

    assert rows() == with_future


def test_a_forecast_that_saw_the_next_half_hour_is_found(weeks: None, bus_clock: Any, monkeypatch: Any) -> None:
    forecast_day(TODAY, bus_clock, every=8 * HOUR)
    assert list(audit.faults_of(CITY)) == []

    monkeypatch.setattr(written, "city_at", lambda feed, city, at: city_at(feed, city, at + HOUR_MS // 2))
    forecast_day(TODAY + timedelta(days=1), bus_clock, every=8 * HOUR)
    monkeypatch.undo()

    found = list(audit.faults_of(CITY))
    assert found
    assert all("differ from what was known at that moment" in one for one in found)
    with pytest.raises(CommandError, match="do not trust these scores"):
        call_command("forecast_scores", check=True, stdout=StringIO(), stderr=StringIO())


def test_counts_that_hold_the_day_itself_are_refused(weeks: None, bus_clock: Any) -> None:
    learn(CITY, TODAY)
    bus_clock.hold(moment(start_of(TODAY) + MINUTE_MS))

    with pytest.raises(written.LooksAhead, match="from the days before"):
        written.write(CITY, start_of(TODAY), knowledge_of(CITY, TODAY + timedelta(days=1)))


def test_a_lesson_that_counted_what_its_day_does_not_hold_is_found(weeks: None) -> None:
    last = ForecastLesson.objects.order_by("-day").first()
    other = ForecastLesson.objects.order_by("day").first()
    ForecastLesson.objects.filter(pk=last.pk).update(counts=other.counts)

    assert ["the lesson differs from its day" in one for one in audit.faults_of(CITY)] == [True]


def test_nothing_is_written_once_the_first_horizon_is_near(weeks: None, bus_clock: Any) -> None:
    bus_clock.hold(moment(start_of(TODAY) + 11 * MINUTE_MS))

    assert not written.write(CITY, start_of(TODAY), knowledge_of(CITY, TODAY))
    assert written.due_at(moment(start_of(TODAY) + 11 * MINUTE_MS)) is None
    assert written.due_at(moment(start_of(TODAY) + MINUTE_MS)) == start_of(TODAY)


def test_a_forecast_is_written_once_and_never_changed(weeks: None, bus_clock: Any) -> None:
    forecast_day(TODAY, bus_clock, every=24 * HOUR)
    before = rows()
    StationDay.objects.filter(day=TODAY, station__number__gt=2).delete()

    forecast_day(TODAY, bus_clock, every=24 * HOUR)
    row = Forecast.objects.get()

    assert rows() == before
    with pytest.raises(TypeError, match="never changed"):
        row.save()
    with pytest.raises(TypeError, match="never changed"):
        Forecast.objects.update(entries=b"")


def recounted(day: date) -> dict[tuple[int, str], list[float]]:
    """Score a day once more in the plainest way: each forecast, and the station's changes until its horizon."""
    sums: dict[tuple[int, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    for row in Forecast.objects.all():
        for entry in written.unpacked(row.entries):
            station = Station.objects.get(pk=entry.station)
            for n, minutes in enumerate((15, 30, 60)):
                at = milliseconds(row.made_at) + minutes * MINUTE_MS
                if not start_of(day) <= at < start_of(day) + DAY_MS:
                    continue
                then = changes_between(station, at, at + 1)[0]
                for target, now, later, model, table in (
                    ("bike", entry.bikes, then.bikes, entry.bike, entry.bike_table),
                    ("place", entry.stands, then.stands, entry.place, entry.place_table),
                ):
                    met = float(later > 0)
                    chances = (model[n] / 1000, table[n] / 1000, float(now > 0))
                    sums[minutes, target][0] += 1
                    for place, chance in enumerate(chances):
                        sums[minutes, target][place + 1] += (chance - met) ** 2
    return sums


def test_the_scores_are_those_of_a_recount(weeks: None, bus_clock: Any) -> None:
    forecast_day(TODAY, bus_clock, every=HOUR)
    scoring.score_day(CITY, TODAY)
    scoring.score_day(CITY, TODAY)

    wanted = recounted(TODAY)
    scores = ForecastScore.objects.all()
    assert len(scores) == len(wanted) == 6
    for score in scores:
        count, *errors = wanted[score.horizon, score.target]
        assert score.forecasts == count > 100
        assert [score.model / 1e6, score.table / 1e6, score.as_now / 1e6] == pytest.approx(errors)
    assert list(audit.faults_of(CITY)) == []

    ForecastScore.objects.filter(horizon=30, target="bike").update(model=12_345_678)
    assert [one.partition(": ")[2] for one in audit.faults_of(CITY)] == [
        "the score differs from a recount of the forecasts."
    ]


def test_what_is_forgotten_is_no_fault(weeks: None, bus_clock: Any, settings: Any) -> None:
    forecast_day(TODAY, bus_clock, every=8 * HOUR)
    settings.STATIONS_HISTORY_DAYS = 3
    bus_clock.advance(days=4)
    StationDay.objects.all().delete()
    FeedSpan.objects.all().delete()

    assert list(audit.faults_of(CITY)) == []
