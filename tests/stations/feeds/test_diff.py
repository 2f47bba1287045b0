"""What a poll says that we did not know: by state, never by time."""

from collections import Counter
from datetime import timedelta

from msgspec.structs import replace

from stations.events import Kind
from stations.feeds.feed_interface import Change, Fetched, Held, Key, Reading, State, diff
from tests.stations.readings import BELLECOUR, NOON, STATE, TERREAUX, reading


def fetched(*readings: Reading, bad: int = 0, listed: set[Key] | None = None, complete: bool = True) -> Fetched:
    keys = {reading.key for reading in readings} | (listed or set())
    return Fetched(list(readings), Counter(bad=bad), keys, complete)


def change_of(before: State = STATE, **after: object) -> Change:
    (change,) = diff({BELLECOUR: Held(7, before, NOON)}, fetched(Reading(BELLECOUR, replace(before, **after), NOON)))
    return change


def test_a_station_seen_for_the_first_time_appears_and_nobody_took_its_bikes():
    (change,) = diff({}, fetched(reading()))

    assert change.kinds == (Kind.APPEARED,)
    assert (change.version, change.taken, change.returned) == (1, 0, 0)


def test_a_heartbeat_alone_changes_nothing():
    held = {BELLECOUR: Held(7, STATE, NOON)}

    assert diff(held, fetched(reading(reported_at=NOON + timedelta(minutes=5)))) == []
    assert diff(held, fetched(reading(reported_at=None))) == []


def test_a_change_with_an_older_heartbeat_still_counts():
    (change,) = diff({BELLECOUR: Held(7, STATE, NOON)}, fetched(reading(reported_at=NOON - timedelta(days=1), bikes=9)))

    assert change.version == 8
    assert Kind.TAKEN in change.kinds


def test_taken_bikes_are_told_apart_by_kind():
    change = change_of(bikes=7, mechanical=5, electrical=2, stands=13)

    assert change.kinds == (Kind.TAKEN,)
    assert (change.taken, change.taken_electrical, change.returned) == (3, 2, 0)


def test_one_kind_out_and_the_other_in_is_both_although_the_total_stands_still():
    change = change_of(mechanical=5, electrical=5)

    assert change.kinds == (Kind.TAKEN, Kind.RETURNED)
    assert (change.taken, change.taken_electrical, change.returned, change.returned_electrical) == (1, 0, 1, 1)


def test_closing_opening_falling_silent_and_growing_are_told():
    assert change_of(status="CLOSED").kinds == (Kind.CLOSED,)
    assert change_of(replace(STATE, status="CLOSED"), status="OPEN").kinds == (Kind.OPENED,)
    assert change_of(connected=False).kinds == (Kind.SILENT,)
    assert change_of(capacity=22).kinds == (Kind.CAPACITY,)
    assert change_of(status="CLOSED", bikes=0, mechanical=0, electrical=0).kinds == (Kind.TAKEN, Kind.CLOSED)


HELD_BOTH = {BELLECOUR: Held(7, STATE, NOON), TERREAUX: Held(3, STATE, NOON)}


def test_a_station_that_a_complete_answer_lacks_is_gone_once():
    (change,) = diff(HELD_BOTH, fetched(reading()))

    assert (change.key, change.kinds, change.version, change.state.gone) == (TERREAUX, (Kind.GONE,), 4, True)
    assert (change.state.bikes, change.taken) == (10, 0)
    assert diff(HELD_BOTH | {TERREAUX: Held(4, change.state, NOON)}, fetched(reading())) == []


def test_a_station_whose_row_is_bad_is_not_gone():
    assert diff(HELD_BOTH, fetched(reading(), bad=1, listed={TERREAUX})) == []


def test_nobody_is_gone_when_a_bad_row_may_be_anybodys():
    assert diff(HELD_BOTH, fetched(reading(), bad=1, complete=False)) == []


def test_a_station_that_comes_back_appears_again_with_its_next_version():
    gone = {BELLECOUR: Held(8, replace(STATE, gone=True), NOON)}

    (change,) = diff(gone, fetched(reading(bikes=3)))

    assert (change.kinds, change.version, change.state.gone, change.taken) == ((Kind.APPEARED,), 9, False, 0)
