"""Hours are what one counts by looking at the stations all the time; however late, often or mixed up events come."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from msgspec.structs import replace

from eventbus.errors import LeaseLost
from eventbus.testing import settle
from stations.events import PollFinished, StationChanged
from stations.feeds.feed_interface import Change
from stations.history import days, packing, reading
from stations.history.recording import record_answer, record_change
from stations.history.samples import DAY_MS, HOUR_MS, Hour, Sample, Span, milliseconds, moment
from stations.models import FeedSpan, RecentChange, Station, StationDay, StationHours
from stations.polling.poller import Poller
from stations.services import recording
from stations.services.station_events import changed_event
from tests.stations.readings import BELLECOUR, STATE
from tests.stations.recorded_feeds import DUBLIN_V1, needs_recorded, recorded

FEED = BELLECOUR.feed
MAY = datetime(2026, 5, 1, tzinfo=UTC)
START = milliseconds(MAY)
SECOND, MINUTE = 1_000, 60_000
MONTH_DAYS = 30

seconds_of_three_hours = st.integers(0, 3 * 3600 - 1).map(lambda second: START + second * SECOND)
samples = st.builds(
    Sample,
    seconds_of_three_hours,
    st.integers(0, 3),
    st.none(),
    st.sampled_from([None, 0, 1]),
    st.sampled_from([0, 0, 1, 2]),
)


@tries(deadline=None, max_examples=40)
@given(st.none() | samples, st.lists(samples, max_size=20, unique_by=lambda one: one.at), seconds_of_three_hours)
def test_a_packed_day_is_unpacked_as_it_was(carried: Sample | None, some: list[Sample], at: int) -> None:
    began = carried and carried._replace(at=START)
    changes = sorted(some)

    packed = packing.pack_changes(START, began, changes)

    assert packing.unpack_changes(START, packed) == (began, changes)
    passed = [one for one in [began, *changes] if one and one.at <= at]
    assert packing.state_at(START, packed, at) == (passed[-1] if passed else None)


def change(at: int, *, version: int = 1, **state: Any) -> StationChanged:
    return changed_event(Change(BELLECOUR, version, (), replace(STATE, **state), None), moment(at))


def answer(at: int, *, ok: bool = True, interval_ms: int = MINUTE) -> PollFinished:
    return PollFinished(feed=FEED, ok=ok, fetched=1, changed=0, bad={}, ms=1, at=moment(at), interval_ms=interval_ms)


def pack_all() -> None:
    while days.pack_some(FEED):
        pass


@pytest.fixture
def station(db: None, bus_clock: Any) -> Station:
    bus_clock.hold(MAY + timedelta(days=MONTH_DAYS + 5))
    written = Change(BELLECOUR, 1, (), STATE, None)
    recording.upsert_stations([written], asked_at=MAY, now=MAY)
    return Station.objects.get()


class Month:
    """A random month: bikes come and go, the station closes, and the feed is silent now and then."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.spans = list(self._spans())
        times = sorted(self.random.sample(range(MONTH_DAYS * 24 * 60), 900))
        self.changes = [self._change(number + 1, START + minute * MINUTE) for number, minute in enumerate(times)]

    def _spans(self) -> Iterator[tuple[int, int]]:
        at = START
        while at < START + MONTH_DAYS * DAY_MS:
            until = at + self.random.randrange(60, 3 * 24 * 60) * MINUTE
            yield at, until
            at = until + self.random.randrange(61, 400) * MINUTE

    def _change(self, version: int, at: int) -> StationChanged:
        status = self.random.choice(["OPEN"] * 6 + ["CLOSED"])
        bikes, stands = self.random.choice([0, 0, 3, 8, 20]), self.random.choice([0, 1, None])
        return change(at, version=version, bikes=bikes, stands=stands, status=status)

    def answers(self) -> list[PollFinished]:
        """The first and last answers of each span, and some between them: at most an hour apart, which is no gap."""
        times = [at for since, until in self.spans for at in [*range(since, until, HOUR_MS), until]]
        return [answer(at, interval_ms=20 * MINUTE) for at in times]

    def hours(self) -> list[Hour]:
        known = [
            Sample(milliseconds(one.polled_at), one.bikes, None, one.stands, int(one.status != "OPEN"))
            for one in self.changes
        ]
        last = self.spans[-1][1] // DAY_MS * DAY_MS
        return counted(known, self.spans, range(START, last, HOUR_MS), step=MINUTE)


def counted(samples: Sequence[Sample], spans: Sequence[Span], hours: Iterable[int], *, step: int) -> list[Hour]:
    """Return the hours that begin at these times, looked at in the middle of every `step` of milliseconds."""
    look = _Look(samples, spans)
    return [_hour(at, [look.at(one) for one in range(at + step // 2, at + HOUR_MS, step)], step) for at in hours]


class _Look:
    """The open station as it was at a time, None if nobody knew it. Asked with times that only grow."""

    def __init__(self, samples: Sequence[Sample], spans: Sequence[Span]) -> None:
        self.coming, self.spans, self.last = list(samples), list(spans), None

    def at(self, look: int) -> Sample | None:
        while self.coming and self.coming[0].at <= look:
            self.last = self.coming.pop(0)
        while self.spans and self.spans[0][1] <= look:
            self.spans.pop(0)
        answered = bool(self.spans) and self.spans[0][0] <= look
        return self.last if self.last and answered and self.last.state == 0 else None


def _hour(at: int, looks: list[Sample | None], step: int) -> Hour:
    seen = [one for one in looks if one]
    bikes = [one.bikes for one in seen]
    return Hour(
        at=at,
        lowest=min(bikes, default=0),
        highest=max(bikes, default=0),
        bike_ms=sum(bikes) * step,
        known_ms=len(seen) * step,
        empty_ms=bikes.count(0) * step,
        full_ms=[one.stands for one in seen].count(0) * step,
    )


def test_a_simulated_month_is_counted_exactly_whatever_comes_late_twice_or_mixed_up(station: Station) -> None:
    month = Month(seed=5)
    late = set(month.random.sample(range(900), 200))
    for one in month.answers():
        record_answer(one)

    for number, event in enumerate(month.changes):
        if number not in late:
            record_change(event)
        if number % 100 == 0:
            pack_all()
    for number in sorted(late, key=lambda _: month.random.random()):
        record_change(month.changes[number])
        record_change(month.changes[number])
    pack_all()

    wanted = month.hours()
    assert reading.hours_between(station, START, wanted[-1].at + HOUR_MS) == wanted
    assert len(wanted) >= 29 * 24
    assert {one.at for one in reading.changes_between(station, START, wanted[-1].at)[1:]} <= {
        milliseconds(one.polled_at) for one in month.changes
    }
    assert not RecentChange.objects.filter(at__lt=moment(wanted[-1].at)).exists(), "what is packed is deleted"


def test_hours_that_are_not_packed_yet_are_counted_when_they_are_read(station: Station) -> None:
    month = Month(seed=6)
    for event in [*month.answers(), *month.changes]:
        (record_answer if isinstance(event, PollFinished) else record_change)(event)

    wanted = month.hours()

    assert reading.hours_between(station, START, wanted[-1].at + HOUR_MS) == wanted
    pack_all()
    assert reading.hours_between(station, START, wanted[-1].at + HOUR_MS) == wanted


def test_a_late_change_that_ends_a_day_is_carried_into_the_days_after_it(station: Station) -> None:
    for at in (START, START + 4 * DAY_MS):
        record_answer(answer(at, interval_ms=5 * DAY_MS))
    record_change(change(START, bikes=5))
    pack_all()

    record_change(change(START + DAY_MS - SECOND, version=2, bikes=9))
    pack_all()

    third = reading.hours_between(station, START + 2 * DAY_MS, START + 3 * DAY_MS)
    assert {(hour.lowest, hour.mean) for hour in third} == {(9, 9.0)}


def test_an_answer_after_a_long_silence_begins_a_new_span_and_a_failed_poll_is_none(station: Station) -> None:
    hour = 60 * MINUTE
    for at in (0, MINUTE, MINUTE, 0, hour, hour + MINUTE):
        record_answer(answer(START + at))
    record_answer(answer(START + 3 * hour, ok=False))

    assert days.spans_of(FEED, START, START + DAY_MS) == [
        (START, START + MINUTE),
        (START + hour, START + hour + MINUTE),
    ]


def test_who_lost_the_lease_packs_nothing(station: Station) -> None:
    record_change(change(START))
    for at in (START, START + DAY_MS):
        record_answer(answer(at, interval_ms=DAY_MS))

    def lost() -> None:
        raise LeaseLost("another process")

    with pytest.raises(LeaseLost):
        days.pack_some(FEED, fence=lost)

    assert (StationDay.objects.count(), RecentChange.objects.count()) == (0, 1)


def test_changes_are_forgotten_before_hours_and_both_by_the_settings(station: Station, settings: Any) -> None:
    record_change(change(START))
    for at in (START, START + 9 * DAY_MS):
        record_answer(answer(at, interval_ms=9 * DAY_MS))
    pack_all()
    settings.STATIONS_HISTORY_DAYS, settings.STATIONS_HISTORY_HOURS_DAYS = 3, 6

    days.forget(today=(MAY + timedelta(days=9)).date())

    assert (StationDay.objects.count(), StationHours.objects.count()) == (3, 6)
    assert reading.hours_between(station, START + 4 * DAY_MS, START + 5 * DAY_MS)[0].mean == STATE.bikes
    assert FeedSpan.objects.count() == 1


@needs_recorded
@pytest.mark.django_db(transaction=True)
def test_recorded_answers_of_dublin_are_counted_as_by_hand(server: Any, feed_of: Any, bus_clock: Any) -> None:
    answers = [msgspec.json.decode(recorded(name)) for name in DUBLIN_V1]
    at = [datetime(2025, 2, 22, 19, *rest, tzinfo=UTC) for rest in ((6, 7), (6, 51), (11, 7))]
    server.will_answer(*map(recorded, DUBLIN_V1), b"[]")
    poller = Poller(feed_of("dublin", base_url=server.url_v1))

    for when in at:
        bus_clock.hold(when)
        assert poller.poll().outcome == "ok"
    settle()

    begin = milliseconds(at[0].replace(minute=0, second=0))
    times = [milliseconds(when) for when in at]
    for station in Station.objects.filter(held="", bad=""):
        rows = [next(row for row in rows if row["number"] == station.number) for rows in answers]
        told = [
            Sample(time, row["available_bikes"], None, row["available_bike_stands"], int(row["status"] != "OPEN"))
            for time, row in zip(times, rows, strict=True)
        ]
        wanted = counted(told, [(times[0], times[-1])], [begin], step=SECOND)
        assert reading.hours_between(station, begin, begin + HOUR_MS) == wanted
    assert Station.objects.filter(held="", bad="").count() > 100
