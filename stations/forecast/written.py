"""The written forecasts: each quarter of an hour one row for each city, before the fact and never changed."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings

from eventbus import clock
from stations.forecast.counts import HORIZONS
from stations.forecast.learning import City, Knowledge
from stations.forecast.looks import BEFORE, QUARTER_MS, ahead_of, looks_of, slots_from
from stations.forecast.usual import NOTHING_USUAL, Slot
from stations.history.reading import city_at
from stations.history.samples import Sample, State, milliseconds, moment
from stations.models import Forecast, Station

CERTAIN = 1_000  # probabilities are written in thousandths
NONE = 0xFFFF  # stands for None
SETTLED_AFTER = timedelta(seconds=30)  # the history gets the changes of a poll some seconds later
WRITTEN_WITHIN = timedelta(minutes=10)  # of the moment: before the first horizon, whatever a poll takes
FORGOTTEN_AT_ONCE = 500  # rows of some 10 kB
_ENTRY = struct.Struct(f"<IHH{4 * len(HORIZONS)}H")  # 32 bytes: station, bikes, stands, four lists


class LooksAhead(Exception):
    """The counts hold outcomes of the time to forecast."""


class Entry(NamedTuple):
    """A station's forecast, in thousandths for each horizon: a bike and a place, by the model and by the table."""

    station: int
    bikes: int
    stands: int | None
    bike: tuple[int, ...]
    place: tuple[int, ...] | None
    bike_table: tuple[int, ...]
    place_table: tuple[int, ...] | None


def forecast_of(city: City, at: int, known: Knowledge, *, without: Iterable[int] = ()) -> list[Entry] | None:
    """Return the forecasts of a city's open stations from what was known at a moment. None if the feed was silent."""
    then = city_at(*city, at)
    if not then.known:
        return None
    slots = slots_from(at, city.zone, BEFORE + 1)
    left_out = set(without)
    entries = []
    for station, state in sorted(then.samples.items()):
        if state.state == State.OPEN and station not in left_out:
            entries.append(entry_of(station, state, known, slots))
    return entries


def write(city: City, at: int, known: Knowledge, verdicts: Sequence[dict[str, Any]] = ()) -> bool:
    """Write the forecasts of a moment, unless they are written or the first horizon is near. Return True if written.

    Stations that are not connected to their operator are left out: their counts are old. Raises LooksAhead if the
    counts hold the day of the moment.
    """
    if known.until >= moment(at).date():
        raise LooksAhead(f"The counts hold {known.until}: forecast {moment(at):%Y-%m-%d %H:%M} from the days before.")
    silent = Station.objects.filter(**city._asdict(), connected=False).values_list("pk", flat=True)
    entries = forecast_of(city, at, known, without=silent)
    if not entries or clock.now() > moment(at) + WRITTEN_WITHIN:
        return False
    row = Forecast(
        **city._asdict(),
        made_at=moment(at),
        written_at=clock.now(),
        learned_until=known.until,
        verdicts=list(verdicts),
        entries=packed(entries),
    )
    Forecast.objects.bulk_create([row], ignore_conflicts=True)
    return True


def due_at(now: datetime) -> int | None:
    """Return the moment to forecast from now, in milliseconds. None between its time and the next moment."""
    at = milliseconds(now) // QUARTER_MS * QUARTER_MS
    return at if moment(at) + SETTLED_AFTER <= now <= moment(at) + WRITTEN_WITHIN else None


def is_written(city: City, at: int) -> bool:
    return Forecast.objects.filter(**city._asdict(), made_at=moment(at)).exists()


def newest(city: City, now: datetime) -> tuple[Forecast, dict[int, Entry]] | None:
    """Return the newest forecast of a city with its entries by station, unless it is older than half an hour."""
    since = now - timedelta(minutes=2 * HORIZONS[0])
    row = Forecast.objects.filter(**city._asdict(), made_at__gt=since, made_at__lte=now).order_by("-made_at").first()
    return None if row is None else (row, {one.station: one for one in unpacked(row.entries)})


def forget(now: datetime) -> int:
    """Delete some of the rows that are older than the setting allows. Return their number."""
    old = Forecast.objects.filter(made_at__lt=now - timedelta(days=settings.STATIONS_FORECAST_DAYS))
    some = list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    return Forecast.objects.filter(pk__in=some).delete()[0] if some else 0


def packed(entries: Iterable[Entry]) -> bytes:
    return zlib.compress(b"".join(_ENTRY.pack(*_flat(one)) for one in entries))


def unpacked(content: Any) -> list[Entry]:
    return [_read(row) for row in _ENTRY.iter_unpack(zlib.decompress(content))]


def entry_of(station: int, state: Sample, known: Knowledge, slots: Sequence[Slot], number: int = 0) -> Entry:
    """Return the forecast of a station in this state at the slot of this number."""
    ahead = ahead_of(known.usual.get(station, NOTHING_USUAL), slots, number)
    looks = looks_of(state, slots[number], ahead, known.oracle.counts)
    chances = [known.oracle.chances(look) for look in looks]
    bike = [one for one, _ in chances]
    place = [one for _, one in chances if one is not None]
    return Entry(
        station,
        state.bikes,
        state.stands,
        _thousandths(one.model for one in bike),
        _thousandths(one.model for one in place) if place else None,
        _thousandths(one.table for one in bike),
        _thousandths(one.table for one in place) if place else None,
    )


def _thousandths(chances: Iterable[float]) -> tuple[int, ...]:
    return tuple(round(CERTAIN * one) for one in chances)


def _flat(entry: Entry) -> list[int]:
    nothing = (NONE,) * len(HORIZONS)
    lists = (entry.bike, entry.place or nothing, entry.bike_table, entry.place_table or nothing)
    counts = [min(entry.bikes, NONE - 1), NONE if entry.stands is None else min(entry.stands, NONE - 1)]
    return [entry.station, *counts, *(one for some in lists for one in some)]


def _read(row: tuple[int, ...]) -> Entry:
    n = len(HORIZONS)
    lists = [row[3 + n * number : 3 + n * (number + 1)] for number in range(4)]
    bike, place, bike_table, place_table = lists
    has_place = row[2] != NONE
    return Entry(
        row[0],
        row[1],
        row[2] if has_place else None,
        bike,
        place if has_place else None,
        bike_table,
        place_table if has_place else None,
    )
