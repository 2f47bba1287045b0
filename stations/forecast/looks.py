"""The looks at a city's stations, one each quarter of an hour: of a packed day, or of a moment."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from stations.forecast.counts import HORIZONS, Counts, Look
from stations.forecast.usual import NOTHING_USUAL, Slot, Usual, slot_of
from stations.history.days import spans_of
from stations.history.packing import unpack_changes
from stations.history.samples import DAY_MS, MINUTE_MS, Sample, Span, pieces, start_of
from stations.models import Station, StationDay

QUARTER_MS = 15 * MINUTE_MS
STEPS = tuple(minutes * MINUTE_MS // QUARTER_MS for minutes in HORIZONS)  # quarters to each horizon
BEFORE = max(STEPS)  # quarters before a day whose horizons lie in it
ONE_DAY = timedelta(days=1)

States = list[Sample | None]  # one each quarter; None where nobody knows an open station's figures


class Ahead(NamedTuple):
    """The usual bikes at a look and at its horizons. None where nothing usual is known."""

    now: float | None
    later: tuple[float | None, ...]

    def expected(self, bikes: int, horizon: int, lasting: float) -> float | None:
        """Return the bikes to expect: the usual ones, and the part of today's surplus that lasts."""
        later = self.later[horizon]
        return None if self.now is None or later is None else later + lasting * (bikes - self.now)


def ahead_of(usual: Usual, slots: Sequence[Slot], at: int) -> Ahead:
    """Return the usual bikes of a station from the slot `at` on."""
    return Ahead(usual.at(slots[at]), tuple(usual.at(slots[at + step]) for step in STEPS))


def looks_of(state: Sample, slot: Slot, ahead: Ahead, counts: Counts) -> list[Look]:
    """Return the looks at one state, one for each horizon."""
    return [
        Look(number, slot.hour, state.bikes, state.stands, ahead.expected(state.bikes, number, counts.lasting(number)))
        for number in range(len(HORIZONS))
    ]


def slots_from(begin: int, zone: ZoneInfo, count: int) -> list[Slot]:
    return [slot_of(begin + n * QUARTER_MS, zone) for n in range(count)]


def counts_of(
    feed: str,
    contract: str,
    day: date,
    *,
    usual: dict[int, Usual],
    known: Counts,
    zone: ZoneInfo,
    rest: Callable[[], object] = lambda: None,
) -> Counts:
    """Return the counts of the looks whose horizons lie in a packed day. `known` and `usual` are of the days before."""
    begin = start_of(day) - BEFORE * QUARTER_MS
    quarters = BEFORE + DAY_MS // QUARTER_MS
    slots = slots_from(begin, zone, quarters)
    counted = Counts()
    for station, states in city_states(feed, contract, day):
        _count(counted, states, slots, usual.get(station, NOTHING_USUAL), known)
        rest()
    return counted


def city_states(feed: str, contract: str, day: date) -> Iterator[tuple[int, States]]:
    """Yield each station's states, from an hour before a packed day to its end."""
    begin, end = start_of(day) - BEFORE * QUARTER_MS, start_of(day) + DAY_MS
    spans = spans_of(feed, begin, end)
    stations = Station.objects.filter(feed=feed, contract=contract)
    rows = StationDay.objects.filter(day__in=(day - ONE_DAY, day), station__in=stations).order_by("station_id", "day")
    packed = list(rows.values_list("station_id", "day", "changes"))  # no cursor stays open while the caller rests
    for station, some in groupby(packed, lambda row: row[0]):
        samples: list[Sample] = []
        for _, of_day, content in some:
            began, changes = unpack_changes(start_of(of_day), content)
            samples += [*([began] if began else []), *changes]
        yield station, states_of(samples, spans, begin, end)


def states_of(samples: Sequence[Sample], spans: Iterable[Span], begin: int, end: int) -> States:
    """Return the states of a station at each quarter of an hour from `begin` on."""
    states: States = [None] * ((end - begin) // QUARTER_MS)
    for sample, since, until in pieces(samples, spans, begin, end):
        for number in range(-(-(since - begin) // QUARTER_MS), -(-(until - begin) // QUARTER_MS)):
            states[number] = sample
    return states


def _count(counted: Counts, states: States, slots: Sequence[Slot], usual: Usual, known: Counts) -> None:
    at = [usual.at(slot) for slot in slots]
    lasting = [known.lasting(number) for number in range(len(HORIZONS))]
    for horizon, step in enumerate(STEPS):
        for number in range(BEFORE - step, len(states) - step):
            now, later = states[number], states[number + step]
            if now is None or later is None:
                continue
            then, there = at[number], at[number + step]
            expected = None
            if then is not None and there is not None:
                expected = there + lasting[horizon] * (now.bikes - then)
                counted.lean(horizon, now.bikes - then, later.bikes - there)
            counted.add(Look(horizon, slots[number].hour, now.bikes, now.stands, expected), later.bikes, later.stands)
