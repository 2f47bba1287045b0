"""A deploy over a real Kafka: workers follow one another while events flow, and nobody notices."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventbus.load_app.processes import database_of_its_own
from tests.rolling.restart import Passing, Ring, longest, overtaken, roll
from tests.rolling.rolling_site import Shift

pytestmark = pytest.mark.rolling

WORKERS = 2
# Events a second at most, and how many of them wait at most: a load that a machine has room for beside other tests.
RATE, AHEAD = 50.0, 20
# Three seconds are promised and `python -m tests.rolling` measures them. A machine that runs everything else meanwhile
# may take this long; a worker that leaves without a word is missed after its session only, which lasts longer.
STALL_ON_A_BUSY_MACHINE_SECONDS = 40.0
SESSION = {"KAFKA_CLIENT_SETTINGS": "session.timeout.ms=60000"}


@pytest.fixture
def shift(tmp_path: Path, kafka: str) -> Iterator[Shift]:
    with database_of_its_own(tmp_path) as url:
        shift = Shift(tmp_path, url, kafka, SESSION)
        try:
            yield shift
        finally:
            shift.close()


@pytest.mark.rolling
def test_workers_follow_one_another_and_no_event_is_lost_twice_or_late(shift: Shift) -> None:
    outcome = roll(shift, workers=WORKERS, rate=RATE, ahead=AHEAD)

    print(outcome)
    assert outcome.kept, outcome
    assert outcome.stall <= STALL_ON_A_BUSY_MACHINE_SECONDS, outcome


def test_a_partition_stands_still_while_events_wait_and_none_is_handled() -> None:
    flows = [Passing(0, at, at + 0.1) for at in (10.0, 11.0, 12.0)]
    stands = [Passing(1, 10.0, 10.1), Passing(1, 10.2, 14.2), Passing(1, 11.0, 14.3)]
    idles = [Passing(2, 10.0, 10.1), Passing(2, 90.0, 90.5)]

    found = longest([*flows, *stands, *idles])

    assert {partition: round(stall, 6) for partition, stall in found.items()} == {0: 0.1, 1: 4.0, 2: 0.5}


def test_a_partition_whose_backlog_is_handled_does_not_stand_still() -> None:
    """Each waits for long, but one after the other is handled."""
    backlog = [Passing(0, 10.0, 10.0 + number) for number in range(1, 6)]

    assert longest(backlog) == {0: 1.0}


def test_who_comes_after_a_later_one_of_the_same_key_is_told() -> None:
    rings = [Ring("a", 0), Ring("a", 2), Ring("b", 0), Ring("a", 1), Ring("b", 1)]

    assert overtaken(rings) == [Ring("a", 1)]
