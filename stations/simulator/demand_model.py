"""A realistic daily demand curve for simulated stations. It is a function of seed, station and time: nothing is stored.

On weekdays the bikes flow from homes to work in the morning and back in the evening, in each city's own time. At
weekends a weaker shift of bikes goes out around noon and returns in the evening. Each station also fluctuates on its
own, more at busy hours.
"""

import math
from dataclasses import dataclass

from stations.simulator.city import SimulatedStation
from stations.simulator.seeded_random import chance

HOUR = 3600.0  # seconds
DAY = 24 * HOUR
WEEK = 7 * DAY

TIDE_STRENGTH = 0.9  # of a station's stands fill or empty between night and noon where the draw is strongest
TO_AND_FRO = ((420.0, 1.2), (1200.0, 2.0))  # (seconds between two turns, bikes): short trips, and trends of an hour

CLOSED_SHARE = 0.006  # of the stations close on a given day
CLOSED_HOURS = (2, 9)  # for at least, at most
SILENT_SHARE = 0.0004  # of the stations lose their connection in a given slot
SILENT_SLOT_SECONDS = 240.0  # short, so that a reconnected station is not more than three bikes off


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant in a city. `seconds` count from a Monday's 00:00 UTC; `local` is the second of the city's week."""

    seconds: float
    local: float
    tide: float  # 0: everyone at home, 1: everyone at work
    bustle: float  # 0.25 at night, when a visitor must still see life, to 1 at rush hour


def moment(seconds: float, utc_offset: float) -> Moment:
    """Return the instant `seconds` after a Monday's 00:00 UTC, where clocks are `utc_offset` seconds ahead."""
    local = (seconds + utc_offset) % WEEK
    hour = local % DAY / HOUR
    if local < 5 * DAY:
        tide = _rise(hour, 7.0, 9.5) - _rise(hour, 16.5, 19.5)
        bustle = 0.25 + 0.4 * _hill(hour, 13, 4.5) + 0.7 * _hill(hour, 8.3, 1.2) + 0.7 * _hill(hour, 17.8, 1.5)
    else:
        tide = 0.35 * (_rise(hour, 11, 14) - _rise(hour, 17, 20))
        bustle = 0.25 + 0.5 * _hill(hour, 15, 4)
    return Moment(seconds, local, tide, min(bustle, 1.0))


class DemandModel:
    """The bikes of one station at any moment. It caches only the last draws, to save drawing them again."""

    def __init__(self, station: SimulatedStation, seed: int) -> None:
        self.station = station
        self._seed = seed
        self._name = f"{station.contract.name}/{station.number}"
        self._turns: dict[float, tuple[int, float, float]] = {}
        self._drawn: dict[str, tuple[int, float]] = {}

    def bikes(self, now: Moment) -> int:
        station = self.station
        share = station.fullness + TIDE_STRENGTH * station.draw * (now.tide - 0.4)
        wanted = share * station.usable + now.bustle * self._to_and_fro(now.seconds)
        return min(max(round(wanted), 0), station.usable)

    def is_closed(self, now: Moment) -> bool:
        """Return True while the station is closed: for some hours of some days, never past the end of the day."""
        day = int(now.seconds // DAY)
        if self._draw("closed", day) >= CLOSED_SHARE:
            return False
        hours = CLOSED_HOURS[0] + (CLOSED_HOURS[1] - CLOSED_HOURS[0]) * self._chance("hours", day)
        opens = (24 - hours) * self._chance("from", day)
        return opens <= now.seconds % DAY / HOUR < opens + hours

    def silent_since(self, now: Moment) -> float | None:
        """Return the start of a lost connection, in the moment's seconds; None while connected."""
        slot = math.floor(now.seconds / SILENT_SLOT_SECONDS)
        return slot * SILENT_SLOT_SECONDS if self._draw("silent", slot) < SILENT_SHARE else None

    def _to_and_fro(self, seconds: float) -> float:
        return sum(bikes * self._between_turns(seconds, period) for period, bikes in TO_AND_FRO)

    def _between_turns(self, seconds: float, period: float) -> float:
        """Interpolate linearly from one turn, in [-1, 1], to the next: bikes come and go one by one."""
        turn, way = divmod(seconds / period, 1)
        drawn = self._turns.get(period)
        if drawn is None or drawn[0] != turn:
            drawn = (int(turn), self._turn(period, turn), self._turn(period, turn + 1))
            self._turns[period] = drawn
        return drawn[1] + (drawn[2] - drawn[1]) * way

    def _turn(self, period: float, turn: float) -> float:
        return 2 * self._chance(period, int(turn)) - 1

    def _draw(self, about: str, turn: int) -> float:
        drawn = self._drawn.get(about)
        if drawn is None or drawn[0] != turn:
            drawn = self._drawn[about] = (turn, self._chance(about, turn))
        return drawn[1]

    def _chance(self, *about: object) -> float:
        return chance(self._seed, self._name, *about)


def _rise(hour: float, start: float, end: float) -> float:
    """Return a smooth step from 0 at `start` to 1 at `end`."""
    way = min(max((hour - start) / (end - start), 0.0), 1.0)
    return way * way * (3 - 2 * way)


def _hill(hour: float, top: float, width: float) -> float:
    return math.exp(-(((hour - top) / width) ** 2))
