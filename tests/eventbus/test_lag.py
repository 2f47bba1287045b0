"""A group that is behind, or that nobody handles, is a problem that `status` names."""

from collections.abc import Iterator
from typing import Any

import pytest

from eventbus.models import ConsumerGroup, OutboxRow, ProcessRow
from eventbus.operations import pausing
from tests.eventbus.bus_app import House
from tests.eventbus.test_commands import a_living_dispatcher, run

HOURS = 6


@pytest.fixture
def behind(house: House, bus_clock: Any) -> str:
    """A group with three events that lie in the log and that it has not handled; when they came there."""
    house.handler()
    house.say(("vase", 1), ("vase", 2), ("vase", 3))
    house.relay()
    return f"{OutboxRow.objects.order_by('offset')[0].appended_at:{pausing.TIME}}"


def asked() -> tuple[int, str]:
    """The exit code of `status`, and what it complained about."""
    with a_living_dispatcher():
        code, _, complaint = run("eventbus", "status")
    return code, complaint


def test_six_hours_of_lag_are_a_problem_that_says_who_how_much_since_when_and_what_to_do(
    behind: str, bus_clock: Any
) -> None:
    bus_clock.advance(hours=HOURS)

    code, complaint = asked()

    assert code == 1
    assert f"Group house-a is 3 events behind in house, the oldest waits since {behind} (6 h)" in complaint
    assert "manage.py handle_events --group house-a" in complaint


def test_a_group_that_has_only_just_begun_is_no_problem(behind: str) -> None:
    assert asked() == (0, "")


def test_so_many_events_are_a_problem_however_young_they_are(behind: str, settings: Any) -> None:
    settings.EVENTBUS_LAG_EVENTS_MAX = 2

    code, complaint = asked()

    assert code == 1
    assert "Group house-a is 3 events behind in house" in complaint
    assert "the limits are 2 events and 300 s" in complaint


def test_a_group_that_has_caught_up_is_no_problem_however_old_the_last_event_is(
    behind: str, house: House, bus_clock: Any
) -> None:
    house.settle()
    bus_clock.advance(hours=HOURS)

    assert asked() == (0, "")


def test_a_paused_group_that_is_forgotten_is_named_with_the_way_to_resume_it(behind: str, bus_clock: Any) -> None:
    pausing.pause(ConsumerGroup.objects.get(name="house-a"), "Ada")
    bus_clock.advance(hours=HOURS)

    code, complaint = asked()

    assert code == 1
    assert "It is paused: manage.py eventbus resume house-a." in complaint


# --- a group that nobody handles -----------------------------------------------------------------------------------


@pytest.fixture
def forgotten(house: House, bus_clock: Any) -> Iterator[ProcessRow]:
    """Two groups; the row of the only process, which handles one of them."""
    house.handler("house-a")
    house.handler("house-b")
    with a_living_dispatcher():
        row = ProcessRow.objects.get()
        row.assignment = {"house-a": ["house/0"]}
        row.save()
        yield row


def complaint() -> str:
    return run("eventbus", "status")[2]


def test_a_group_that_no_living_process_handles_is_named_though_it_lags_by_nothing(forgotten: ProcessRow) -> None:
    assert complaint().startswith("Nobody handles group house-b: no living process does.")
    assert "manage.py handle_events --group house-b" in complaint()
    assert "house-a" not in complaint()
