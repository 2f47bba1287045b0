"""On simulated weeks the model is better than the table, and without proof the table is shown."""

import json
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from stations.forecast import scoring
from stations.forecast.counts import Counts, Look, Oracle
from stations.forecast.hindcast import errors_as_if, hindcast
from stations.forecast.learning import Knowledge, knowledge_of, learn
from stations.forecast.scoring import Errors, score_over
from stations.history.samples import moment, start_of
from stations.models import Forecast, ForecastLesson
from tests.stations.forecast.simulated_weeks import CITY, FIRST, forecast_day, learn_weeks, write_weeks

LEARNED, SCORED = 10, 8
GAINS_MIN = {30: 0.10, 60: 0.15}  # of the model over the table


@pytest.mark.django_db
def test_on_simulated_weeks_the_model_beats_the_table(bus_clock: Any) -> None:
    write_weeks(LEARNED + SCORED, stations=8)
    learn_weeks(LEARNED + SCORED)
    for number in range(LEARNED, LEARNED + SCORED):
        forecast_day(FIRST + timedelta(days=number), bus_clock, every=timedelta(minutes=30))
        scoring.score_day(CITY, FIRST + timedelta(days=number))
    bus_clock.hold(moment(start_of(FIRST + timedelta(days=LEARNED + SCORED))))

    told = StringIO()
    call_command("forecast_scores", json=True, stdout=told)

    scores = json.loads(told.getvalue())["scores"]
    assert {(one["horizon"], one["target"]) for one in scores} == {
        (h, t) for h in (15, 30, 60) for t in ("bike", "place")
    }
    for one in scores:
        gain = 1 - one["model"] / one["table"]
        assert gain >= GAINS_MIN.get(one["horizon"], 0.0), (one["horizon"], one["target"], gain)
        assert one["shown"] == "model" or one["versus"]["table"]["high"] >= 0
    assert {one["shown"] for one in scores if one["horizon"] == 60} == {"model"}


def days(*models: int, table: int = 100, as_now: int = 200) -> list[Errors]:
    return [Errors(1_000, model, table, as_now) for model in models]


def test_a_model_that_is_better_each_day_is_shown() -> None:
    assert score_over(30, "bike", days(*[80, 90, 85] * 3)).method == "model"


@pytest.mark.parametrize(
    "errors",
    [
        days(*[80, 90, 85] * 2),  # too few days
        days(*[10] * 4, *[150] * 5),  # better in sum, but not on most days
        days(*[80] * 9, as_now=70),  # it would have been better to assume that nothing changes
        days(*[100] * 9),
    ],
)
def test_without_proof_the_table_is_shown(errors: list[Errors]) -> None:
    assert score_over(30, "bike", errors).method == "table"


def test_what_came_later_is_the_chance_and_few_looks_say_as_now() -> None:
    empty, counts = Look(0, 8, 0, 10, None), Counts()

    assert Oracle(counts).chances(empty)[0].table == 0
    for number in range(1_000):
        counts.add(empty, number % 4 == 0, 10)
    assert Oracle(counts).chances(empty)[0].table == pytest.approx(0.25, abs=0.01)
    assert Oracle(Counts.unpacked(counts.packed())).chances(empty) == Oracle(counts).chances(empty)


def test_where_bikes_stand_anywhere_no_place_is_forecast() -> None:
    assert Oracle(Counts()).chances(Look(0, 8, 3, None, 3.5))[1] is None


@pytest.mark.django_db
def test_a_hindcast_scores_as_if_each_quarter_had_been_forecast(bus_clock: Any) -> None:
    write_weeks(5, stations=3)
    learn_weeks(4)
    forecast_day(FIRST + timedelta(days=4), bus_clock)
    written = scoring.errors_of(CITY, FIRST + timedelta(days=4))
    Forecast.objects.all().delete()
    ForecastLesson.objects.all().delete()

    scores = hindcast(CITY)
    told = StringIO()
    call_command("forecast_scores", hindcast=True, stdout=told)

    assert {score.days for score in scores} == {2}, "the fourth day and the fifth"
    assert "place in 60 min" in told.getvalue()
    known = learned_before(FIRST + timedelta(days=4))
    assert errors_as_if(CITY, FIRST + timedelta(days=4), known) == written
    assert not Forecast.objects.exists()
    assert not ForecastLesson.objects.exists()


def learned_before(day: date) -> Knowledge:
    for number in range((day - FIRST).days):
        learn(CITY, FIRST + timedelta(days=number))
    known = knowledge_of(CITY, day)
    ForecastLesson.objects.all().delete()
    assert known is not None
    return known
