"""Weeks of a simulated city as its history holds them: packed days, hours, and the times in which the feed answered."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from stations.feeds.cities import BY_NAME
from stations.forecast import written
from stations.forecast.learning import City, knowledge_of, learn
from stations.history import packing
from stations.history.samples import DAY_MS, MINUTE_MS, Sample, hours_of, start_of
from stations.history.samples import moment as time_of
from stations.models import FeedSpan, Station, StationDay, StationHours
from stations.simulator.city import stations_of
from stations.simulator.demand_model import DemandModel, moment
from stations.simulator.simulated_world import MONDAY

FIRST = date(2026, 3, 2)  # a Monday; no clock changes in the four weeks after it
CITY = City("simulator", "dublin")
SEED = 1
POLL_MS = 5 * MINUTE_MS  # a change of the simulated demand is hardly faster
QUARTER = timedelta(minutes=15)


def write_weeks(days: int, *, stations: int) -> None:
    """Write so many packed days of some stations of the simulated Dublin."""
    contract = BY_NAME[CITY.contract]
    every = contract.stations // stations
    offset = ZoneInfo(contract.zone).utcoffset(datetime.combine(FIRST, datetime.min.time()))
    begin = start_of(FIRST)
    for number, simulated in enumerate(stations_of(contract, SEED)[::every]):
        demand = DemandModel(simulated, SEED)
        times = range(begin, begin + days * DAY_MS, POLL_MS)
        bikes = [demand.bikes(moment(at / 1000 - MONDAY, offset.total_seconds())) for at in times]
        samples = [Sample(at, one, None, simulated.usable - one, 0) for at, one in zip(times, bikes, strict=True)]
        _pack(_station(number, simulated.capacity), samples, days)
    FeedSpan.objects.create(feed=CITY.feed, since=time_of(begin), until=time_of(begin + days * DAY_MS))


def learn_weeks(days: int) -> None:
    for number in range(days):
        learn(CITY, FIRST + timedelta(days=number))


def forecast_day(day: date, bus_clock: object, *, every: timedelta = QUARTER) -> None:
    """Write the forecasts of a day, each a minute after its moment."""
    known = knowledge_of(CITY, day)
    at = datetime.combine(day, datetime.min.time(), UTC)
    while at.date() == day:
        bus_clock.hold(at + timedelta(minutes=1))
        assert written.write(CITY, start_of(day) + round((at.hour * 60 + at.minute) * MINUTE_MS), known)
        at += every


def _station(number: int, capacity: int) -> Station:
    start = time_of(start_of(FIRST))
    return Station.objects.create(
        feed=CITY.feed, station_id=f"dublin-{number}", contract=CITY.contract, number=number, version=1,
        name=f"STATION {number}", lat=53.34 + number / 1000, lng=-6.26, status="OPEN", bikes=5, stands=5,
        capacity=capacity, connected=True, first_seen=start, changed_at=start, polled_at=start,
    )  # fmt: skip


def _pack(station: Station, samples: list[Sample], days: int) -> None:
    carried = None
    for number in range(days):
        start = start_of(FIRST + timedelta(days=number))
        of_day = [one for one in samples if start <= one.at < start + DAY_MS]
        changes = [one for one, before in zip(of_day, [carried, *of_day], strict=False) if _differ(one, before)]
        began = [carried._replace(at=start)] if carried else []
        hours = hours_of([*began, *changes], [(start, start + DAY_MS)], start, start + DAY_MS)
        day = time_of(start).date()
        packed = packing.pack_changes(start, carried, changes)
        StationDay.objects.create(station=station, day=day, changes=packed)
        StationHours.objects.create(station=station, day=day, hours=packing.pack_hours(hours))
        carried = of_day[-1]


def _differ(one: Sample, before: Sample | None) -> bool:
    return before is None or one.figures != before.figures
