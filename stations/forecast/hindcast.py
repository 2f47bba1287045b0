"""Score kept days as if they had been forecast, each from the days before it. Nothing of it is written."""

from datetime import date

from stations.forecast.counts import HORIZONS, TARGETS, Counts
from stations.forecast.learning import DAYS_LEARNED_MIN, City, Knowledge, known_from, packed_days, weeks
from stations.forecast.looks import (
    BEFORE,
    ONE_DAY,
    QUARTER_MS,
    city_states,
    counts_of,
    slots_from,
)
from stations.forecast.scoring import Errors, Score, add_entry, no_errors, score_over
from stations.forecast.written import entry_of
from stations.history.samples import DAY_MS, start_of


def hindcast(city: City) -> list[Score]:
    """Return the scores over all days whose changes are kept, after the first ones that are only learned."""
    lessons: dict[date, Counts] = {}
    days: dict[tuple[int, int], list[Errors]] = {key: [] for key in no_errors()}
    for day in packed_days(city):
        lessons = {one: lesson for one, lesson in lessons.items() if one >= day - weeks()}
        known = known_from(city, day - ONE_DAY, list(lessons.values()))
        if known.days >= DAYS_LEARNED_MIN:
            for key, errors in errors_as_if(city, day, known).items():
                days[key] += [errors] if errors.forecasts else []
        lessons[day] = counts_of(*city, day, usual=known.usual, known=known.oracle.counts, zone=city.zone)
    return [score_over(HORIZONS[horizon], TARGETS[target], some) for (horizon, target), some in days.items() if some]


def errors_as_if(city: City, day: date, known: Knowledge) -> dict[tuple[int, int], Errors]:
    """Return the errors of the forecasts of a packed day, as if one had been made each quarter of an hour.

    The last forecasts of the day are scored only by the horizons that lie in it.
    """
    begin = start_of(day) - BEFORE * QUARTER_MS
    slots = slots_from(begin, city.zone, 2 * BEFORE + DAY_MS // QUARTER_MS)
    sums = no_errors()
    for station, states in city_states(*city, day):
        for number, state in enumerate(states[BEFORE:], BEFORE):
            if state is not None:
                add_entry(sums, entry_of(station, state, known, slots, number), states, number)
    return sums
