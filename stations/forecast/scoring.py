"""The scores: each day's squared errors, counted once from forecasts and history, and the verdict that they allow."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.conf import settings

from stations.forecast.counts import HORIZONS, TARGETS
from stations.forecast.learning import City
from stations.forecast.looks import BEFORE, QUARTER_MS, STEPS, States, city_states
from stations.forecast.written import CERTAIN, Entry, unpacked
from stations.history.days import is_packed, last_full_day
from stations.history.samples import DAY_MS, milliseconds, moment, start_of
from stations.models import Forecast, ForecastScore

UNIT = 1 / CERTAIN**2  # of the stored errors: squared thousandths, whole numbers, so that sums are exact
DRAWS = 1_000  # of days, for an interval: its ends move by a hundredth of its width with more
SEED = 1  # the same scores have the same interval
DAYS_OF_A_VERDICT_MIN = 7  # fewer days say nothing about other days
DAYS_OF_A_VERDICT_MAX = 90  # older days say little about the next one
TAIL = 0.025  # of the draws on each side of the interval
BASELINES = ("table", "as_now")


class Errors(NamedTuple):
    """A day's sums of squared errors."""

    forecasts: int = 0
    model: int = 0
    table: int = 0
    as_now: int = 0

    def plus(self, later: int, model: int, table: int, now: int) -> "Errors":
        met = CERTAIN * (later > 0)
        certain = CERTAIN * (now > 0)
        return Errors(
            self.forecasts + 1,
            self.model + (model - met) ** 2,
            self.table + (table - met) ** 2,
            self.as_now + (certain - met) ** 2,
        )


class Versus(NamedTuple):
    """The model's Brier score less that of a baseline, with its 95 % interval by day. Below zero the model is better.

    `low` and `high` are None where there are too few days.
    """

    difference: float
    low: float | None
    high: float | None

    @property
    def is_beaten(self) -> bool:
        return self.high is not None and self.high < 0


class Score(NamedTuple):
    """The Brier scores of a city by one horizon and target: 0 is always right, 1 is always wrong."""

    horizon: int
    target: str
    days: int
    forecasts: int
    model: float
    table: float
    as_now: float
    versus: dict[str, Versus]

    @property
    def method(self) -> str:
        """The method to show: the model if it beats both baselines by the interval, otherwise the table."""
        return "model" if all(one.is_beaten for one in self.versus.values()) else "table"


def score_day(city: City, day: date) -> None:
    """Score the forecasts whose horizons lie in a packed day. Scored twice, it stays as it was."""
    rows = [
        ForecastScore(**city._asdict(), day=day, horizon=HORIZONS[horizon], target=TARGETS[target], **sums._asdict())
        for (horizon, target), sums in errors_of(city, day).items()
    ]
    ForecastScore.objects.bulk_create(rows, ignore_conflicts=True)


def errors_of(city: City, day: date) -> dict[tuple[int, int], Errors]:
    """Return a day's errors by horizon and target, zero where nothing was forecast."""
    sums = no_errors()
    begin = start_of(day) - BEFORE * QUARTER_MS
    written = Forecast.objects.filter(
        **city._asdict(), made_at__gte=moment(begin), made_at__lt=moment(start_of(day) + DAY_MS)
    )
    if not written.exists():
        return sums
    states = dict(city_states(*city, day))
    for row in written.order_by("made_at").iterator():
        at = (milliseconds(row.made_at) - begin) // QUARTER_MS
        for entry in unpacked(row.entries):
            add_entry(sums, entry, states.get(entry.station, []), at)
    return sums


def no_errors() -> dict[tuple[int, int], Errors]:
    return {(horizon, target): Errors() for horizon in range(len(HORIZONS)) for target in range(len(TARGETS))}


def day_to_score(city: City) -> date | None:
    """Return the first packed day with forecasts that is not scored yet."""
    last = last_full_day(city.feed)
    if last is None or not is_packed(city.feed, last):
        return None
    written = Forecast.objects.filter(**city._asdict()).order_by("made_at")
    scored = ForecastScore.objects.filter(**city._asdict()).order_by("-day").values_list("day", flat=True).first()
    if scored:
        written = written.filter(made_at__gte=moment(start_of(scored) + DAY_MS))
    first = written.values_list("made_at", flat=True).first()
    return first.date() if first and first.date() <= last else None


def scores_of(city: City, *, before: date) -> list[Score]:
    """Return the scores of a city over its last scored days before a day."""
    since = before - timedelta(days=DAYS_OF_A_VERDICT_MAX)
    rows = ForecastScore.objects.filter(**city._asdict(), day__gte=since, day__lt=before, forecasts__gt=0)
    found: dict[tuple[int, str], list[Errors]] = {}
    for row in rows.order_by("day"):
        errors = Errors(row.forecasts, row.model, row.table, row.as_now)
        found.setdefault((row.horizon, row.target), []).append(errors)
    return [
        score_over(horizon, target, found[horizon, target])
        for horizon in HORIZONS
        for target in TARGETS
        if (horizon, target) in found
    ]


def verdicts_of(city: City, before: date) -> list[dict[str, Any]]:
    """Return the method that pages show for each horizon and target, with the scores that decided it."""
    scores = {(one.horizon, one.target): one for one in scores_of(city, before=before)}
    return [_verdict(horizon, target, scores.get((horizon, target))) for horizon in HORIZONS for target in TARGETS]


def _verdict(horizon: int, target: str, score: Score | None) -> dict[str, Any]:
    told: dict[str, Any] = {"horizon": horizon, "target": target, "method": "table", "days": 0}
    if score is not None:
        brier = {name: round(getattr(score, name), 4) for name in ("model", *BASELINES)}
        told |= brier | {"days": score.days, "method": score.method}
    return told


def score_over(horizon: int, target: str, days: Sequence[Errors]) -> Score:
    count = sum(day.forecasts for day in days)
    sums = {name: sum(getattr(day, name) for day in days) for name in ("model", *BASELINES)}
    brier = {name: errors * UNIT / count for name, errors in sums.items()}
    versus = {name: _versus([(day.forecasts, day.model - getattr(day, name)) for day in days]) for name in BASELINES}
    return Score(horizon, target, len(days), count, versus=versus, **brier)


def forget_old(today: date) -> int:
    """Delete the scores that are older than the hours of the history. Return their number."""
    oldest = today - timedelta(days=settings.STATIONS_HISTORY_HOURS_DAYS)
    return ForecastScore.objects.filter(day__lt=oldest).delete()[0]


def _versus(days: Sequence[tuple[int, int]]) -> Versus:
    difference = _mean(days)
    if len(days) < DAYS_OF_A_VERDICT_MIN:
        return Versus(difference, None, None)
    draw = random.Random(SEED)
    drawn = sorted(_mean(draw.choices(days, k=len(days))) for _ in range(DRAWS))
    return Versus(difference, drawn[round(TAIL * DRAWS)], drawn[round((1 - TAIL) * DRAWS) - 1])


def _mean(days: Iterable[tuple[int, int]]) -> float:
    counted, errors = zip(*days, strict=True)
    return float(sum(errors) * UNIT / sum(counted))


def add_entry(sums: dict[tuple[int, int], Errors], entry: Entry, states: States, at: int) -> None:
    """Add the errors of the forecast that was made at the state of this number."""
    for horizon, step in enumerate(STEPS):
        later = states[at + step] if BEFORE <= at + step < len(states) else None
        if later is None:
            continue
        for target, now, came, model, table in _sides(entry, later.bikes, later.stands):
            sums[horizon, target] = sums[horizon, target].plus(came, model[horizon], table[horizon], now)


def _sides(
    entry: Entry, bikes: int, stands: int | None
) -> Iterator[tuple[int, int, int, tuple[int, ...], tuple[int, ...]]]:
    yield 0, entry.bikes, bikes, entry.bike, entry.bike_table
    if entry.stands is not None and stands is not None and entry.place and entry.place_table:
        yield 1, entry.stands, stands, entry.place, entry.place_table
