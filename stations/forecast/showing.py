"""The forecast as pages show it: the newest one of a station, its methods, and the best station on arrival."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from eventbus import clock
from stations.forecast.counts import HORIZONS
from stations.forecast.learning import DAYS_LEARNED_MIN, City, days_learned
from stations.forecast.written import CERTAIN, Entry, newest
from stations.live.station_view import RowState, state_of
from stations.models import Forecast, Station
from stations.services.neighbours import Neighbour

Method = Literal["model", "table"]
SURE_PERCENT = 99  # more is shown as "more than": no count makes anything certain


class Chance(NamedTuple):
    """The chance of at least one, by the method that is shown."""

    thousandths: int
    method: Method

    @property
    def share(self) -> float:
        return self.thousandths / CERTAIN

    @property
    def percent(self) -> int:
        return min(max(round(100 * self.thousandths / CERTAIN), 100 - SURE_PERCENT), SURE_PERCENT)

    @property
    def is_above(self) -> bool:
        return 100 * self.thousandths > SURE_PERCENT * CERTAIN

    @property
    def is_below(self) -> bool:
        return 100 * self.thousandths < (100 - SURE_PERCENT) * CERTAIN


class Row(NamedTuple):
    """The chances at one time. `place` is None where bikes stand anywhere."""

    minutes: int
    at: datetime
    bike: Chance
    place: Chance | None


class Best(NamedTuple):
    """The station with the best chance of a bike for who walks there now."""

    station: Station
    minutes: int
    chance: Chance
    is_here: bool


class Shown(NamedTuple):
    """The forecast of a station as its page shows it. Without `rows` the page says why there is none."""

    rows: list[Row]
    made_at: datetime | None = None
    verdicts: list[dict[str, Any]] = []
    days: int = 0
    days_min: int = DAYS_LEARNED_MIN
    is_old: bool = False
    best: Best | None = None

    @property
    def has_table(self) -> bool:
        """True if the table is shown somewhere, since the model has not been proven better there."""
        shown = [chance for row in self.rows for chance in (row.bike, row.place) if chance]
        return any(chance.method == "table" for chance in shown)

    @property
    def scored_days(self) -> int:
        return max((one["days"] for one in self.verdicts), default=0)


def shown_forecast(station: Station, near: Iterable[Neighbour], *, is_live: bool) -> Shown:
    """Return what the station's page shows. A station that is not open and live now has no forecast."""
    if not is_live or not _is_fresh(station):
        return Shown([], is_old=True)
    city = City(station.feed, station.contract)
    found = newest(city, clock.now())
    entry = found[1].get(station.pk) if found else None
    if found is None or entry is None:
        return Shown([], days=days_learned(city, clock.now().date()))
    row, entries = found
    here = Neighbour(station, 0.0)
    return Shown(
        rows=[one for one in rows_of(row, entry) if one.at > clock.now()],
        made_at=row.made_at,
        verdicts=row.verdicts,
        best=_best(row, entries, [here, *near]),
    )


def rows_of(row: Forecast, entry: Entry) -> list[Row]:
    """Return a station's chances by horizon."""
    methods: dict[tuple[int, str], Method] = {(one["horizon"], one["target"]): one["method"] for one in row.verdicts}
    rows = []
    for number, minutes in enumerate(HORIZONS):
        bike, place = methods.get((minutes, "bike"), "table"), methods.get((minutes, "place"), "table")
        places = entry.place if place == "model" else entry.place_table
        rows.append(
            Row(
                minutes,
                row.made_at + timedelta(minutes=minutes),
                Chance((entry.bike if bike == "model" else entry.bike_table)[number], bike),
                None if places is None else Chance(places[number], place),
            )
        )
    return rows


def _best(row: Forecast, entries: dict[int, Entry], near: list[Neighbour]) -> Best | None:
    """Return the station with the best chance of a bike on arrival. Of equal ones it is the nearest."""
    passed = clock.now() - row.made_at
    reached = []
    for number, one in enumerate(near):
        minutes = one.minutes if number else 0
        arrival = passed + timedelta(minutes=minutes)
        entry = entries.get(one.station.pk)
        if entry is not None and _is_fresh(one.station):
            after = [later for later in rows_of(row, entry) if timedelta(minutes=later.minutes) >= arrival]
            reached += [Best(one.station, minutes, after[0].bike, number == 0)] if after else []
    return max(reached, key=lambda one: one.chance.percent, default=None) if len(reached) > 1 else None


def _is_fresh(station: Station) -> bool:
    return not station.gone and state_of(station) == RowState.FRESH
