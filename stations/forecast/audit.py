"""Check that each forecast follows from what was known before it, and each score from the forecasts."""

from collections.abc import Iterator
from datetime import date, timedelta

from django.conf import settings

from eventbus import clock
from stations.forecast.counts import HORIZONS, TARGETS, Counts
from stations.forecast.learning import City, Knowledge, knowledge_of, lesson_of
from stations.forecast.scoring import Errors, errors_of
from stations.forecast.written import WRITTEN_WITHIN, forecast_of, unpacked
from stations.history.samples import milliseconds, moment, start_of
from stations.models import Forecast, ForecastLesson, ForecastScore, StationDay


def faults_of(city: City) -> Iterator[str]:
    """Yield each fault of a city's kept forecasts, lessons and scores, as a sentence."""
    yield from _faults_of_lessons(city)
    known: dict[tuple[date, date], Knowledge | None] = {}
    rows = Forecast.objects.filter(**city._asdict(), made_at__gte=moment(start_of(_oldest()))).order_by("made_at")
    for row in rows.iterator():
        days = (row.made_at.date(), row.learned_until)
        if days not in known:
            known = {days: knowledge_of(city, days[0], until=days[1])}
        fault = _fault(city, row, known[days])
        if fault:
            yield f"{row}: {fault}"
    yield from _faults_of_scores(city)


def _fault(city: City, row: Forecast, known: Knowledge | None) -> str:
    if not row.made_at <= row.written_at <= row.made_at + WRITTEN_WITHIN:
        return "it was not written before the fact."
    if row.learned_until >= row.made_at.date():
        return "its counts hold its own day."
    if known is None:
        return ""  # its lessons are forgotten
    again = {one.station: one for one in forecast_of(city, milliseconds(row.made_at), known) or ()}
    differing = [one.station for one in unpacked(row.entries) if again.get(one.station) != one]
    if differing:
        return f"{len(differing)} stations differ from what was known at that moment, such as station {differing[0]}."
    return ""


def _faults_of_lessons(city: City) -> Iterator[str]:
    """Compare each lesson with its day. A change that came after the day was learned makes it differ too."""
    for lesson in ForecastLesson.objects.filter(**city._asdict()).order_by("day").iterator():
        has_day = StationDay.objects.filter(
            day=lesson.day, station__feed=city.feed, station__contract=city.contract
        ).exists()
        if has_day and Counts.unpacked(lesson.counts).cells != lesson_of(city, lesson.day).cells:
            yield f"{lesson}: the lesson differs from its day: a change came late, or it saw too much."


def _faults_of_scores(city: City) -> Iterator[str]:
    scores = ForecastScore.objects.filter(**city._asdict(), day__gt=_oldest()).order_by("day")
    day, errors = None, {}
    for score in scores.iterator():
        if score.day != day:
            day, errors = score.day, errors_of(city, score.day)
        counted = errors[HORIZONS.index(score.horizon), TARGETS.index(score.target)]
        if counted != Errors(score.forecasts, score.model, score.table, score.as_now):
            yield f"{score}: the score differs from a recount of the forecasts."


def _oldest() -> date:
    """Return the first day of which neither forecasts nor changes may be deleted: older ones cannot be recomputed."""
    kept = min(settings.STATIONS_FORECAST_DAYS, settings.STATIONS_HISTORY_DAYS)
    return clock.now().date() - timedelta(days=kept - 1)
