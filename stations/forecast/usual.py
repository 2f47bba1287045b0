"""The usual bikes of each station by kind of day and local hour, from its hours of the weeks before."""

import math
from array import array
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from stations.history.packing import unpack_hours
from stations.history.samples import HOUR_MS, moment, start_of
from stations.models import Station, StationHours

DAYS_LOOKED_AT = 28  # before: four of each weekday, too few for the seasons to mix
HALF_HOUR_MS = HOUR_MS // 2  # an hour's mean is that of its middle
STATIONS_WITHOUT_REST = 50  # whose hours of a day are read: some 3 ms
HOURS = 24
FIRST_WEEKEND_DAY = 5  # Saturday


class Slot(NamedTuple):
    """A time in a city: its local hour, and the two hours between whose middles it lies."""

    hour: int
    weekend: bool
    before: int
    after: int
    share: float  # of `after`


def slot_of(at: int, zone: ZoneInfo) -> Slot:
    """Return the place of a time, in milliseconds, in the city's day."""
    local, middle = moment(at).astimezone(zone), moment(at - HALF_HOUR_MS).astimezone(zone)
    return Slot(
        hour=local.hour,
        weekend=local.weekday() >= FIRST_WEEKEND_DAY,
        before=middle.hour,
        after=(middle.hour + 1) % HOURS,
        share=middle.minute / 60,
    )


class Usual:
    """The usual bikes of one station: 48 numbers, since a process keeps them for every station."""

    def __init__(self, means: "array[float]") -> None:
        self._means = means

    def at(self, slot: Slot) -> float | None:
        """Return the usual bikes, or None if one of the two hours has not been seen on such a day."""
        begin = HOURS * slot.weekend
        mean = self._means[begin + slot.before] * (1 - slot.share) + self._means[begin + slot.after] * slot.share
        return None if math.isnan(mean) else mean


NOTHING_USUAL = Usual(array("d", [math.nan] * 2 * HOURS))


def usual_of(
    feed: str, contract: str, last: date, zone: ZoneInfo, rest: Callable[[], object] = lambda: None
) -> dict[int, Usual]:
    """Return the usual bikes of a city's stations, by id, from the hours of the weeks until `last`, inclusive.

    `rest` is called now and then, so that other threads get on.
    """
    sums: dict[int, list[int]] = {}
    stations = Station.objects.filter(feed=feed, contract=contract)
    for back in range(DAYS_LOOKED_AT):
        day = last - timedelta(days=back)
        slots = [slot_of(start_of(day) + n * HOUR_MS, zone) for n in range(HOURS)]
        places = [2 * (HOURS * slot.weekend + slot.hour) for slot in slots]
        rows = StationHours.objects.filter(day=day, station__in=stations).values_list("station_id", "hours")
        for number, (station, packed) in enumerate(list(rows)):
            if number % STATIONS_WITHOUT_REST == 0:
                rest()
            of_station = sums.setdefault(station, [0] * 4 * HOURS)
            for place, hour in zip(places, unpack_hours(start_of(day), packed), strict=True):
                of_station[place] += hour.bike_ms
                of_station[place + 1] += hour.known_ms
    return {station: Usual(_means(of_station)) for station, of_station in sums.items()}


def _means(sums: list[int]) -> "array[float]":
    pairs = zip(sums[::2], sums[1::2], strict=True)
    return array("d", [bike_ms / known_ms if known_ms else math.nan for bike_ms, known_ms in pairs])
