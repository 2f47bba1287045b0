"""An operator lets groups stand still and go on, and sees which of them do."""

import json
import time

import pytest

from eventbus.consuming.worker import STILL_SECONDS, Worker
from eventbus.failures.circuit_breaker import trip
from eventbus.models import ConsumerGroup, OperatorAction
from eventbus.operations import pausing, status
from tests.eventbus.bus_app import House
from tests.eventbus.test_commands import a_living_dispatcher, run
from tests.waiting import until


@pytest.fixture
def groups(house: House) -> list[str]:
    """Two groups, and nobody else's."""
    ConsumerGroup.objects.all().delete()
    names = ["house-a", "house-b"]
    for name in names:
        house.handler(name)
    return names


def group(name: str = "house-a") -> ConsumerGroup:
    return ConsumerGroup.objects.get(name=name)


def test_a_paused_group_stands_still_until_it_is_resumed(house: House, groups: list[str]) -> None:
    code, said, _ = run("eventbus", "pause", "house-a")
    house.say(("vase", 1))
    house.settle()

    assert (code, said.strip()) == (0, "pause house-a")
    assert (house.seen("house-a"), house.seen("house-b")) == ([], [("vase", 1)])

    assert run("eventbus", "resume", "house-a")[0] == 0
    house.settle()
    assert house.seen("house-a") == [("vase", 1)]


def test_all_groups_are_paused_and_resumed_at_once(groups: list[str]) -> None:
    run("eventbus", "pause", "house-a")

    code, said, _ = run("eventbus", "pause", "--all", "--json")
    assert (code, json.loads(said)) == (0, {"action": "pause", "asked": ["house-b"], "refused": []})

    trip("house-b", "all failed")
    code, said, _ = run("eventbus", "resume", "--all", "--json")
    assert (code, json.loads(said)["asked"]) == (0, groups)
    assert pausing.standstills() == []


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_an_unknown_group_exits_with_2_and_stops_nobody(groups: list[str], action: str) -> None:
    code, _, complaint = run("eventbus", action, "house-a", "house-c")

    assert code == 2
    assert "house-c" in complaint and "house-a, house-b" in complaint
    assert not OperatorAction.objects.exists()


def test_status_tells_of_a_pause_and_finds_nothing_wrong_with_it(groups: list[str]) -> None:
    pausing.pause(group(), "Ada")

    with a_living_dispatcher():
        code, said, _ = run("eventbus", "status")

    assert code == 0
    assert f"house-a is paused since {group().paused_at:{pausing.TIME}} by Ada" in said


def test_a_braked_group_is_a_problem_with_its_reason_and_the_remedy(groups: list[str]) -> None:
    trip("house-a", "26 of the last 26 first attempts failed. The last: ValueError: \x1b[31mred")

    with a_living_dispatcher():
        code, said, complaint = run("eventbus", "status")
        [problem] = status.problems(status.status(), dispatches=True)

    assert code == 1
    assert "circuit breaker of house-a is open since" in said
    assert "circuit breaker of group house-a is open since" in complaint and "ValueError" in complaint
    assert "eventbus resume house-a" in problem
    assert "\x1b" not in said + complaint


def test_a_worker_sees_a_pause_and_its_end_soon_and_asks_seldom_in_between(
    house: House, groups: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    look = Worker._stand_still
    monkeypatch.setattr(Worker, "_stand_still", lambda *given: looks.append(1) or look(*given))

    with house.working():
        house.say(("vase", 1))
        house.relay()
        until(house.seen, "the first event handled")
        pausing.pause(group(), "Ada")
        looks.clear()
        began = time.monotonic()
        for number in range(2, 42):  # each rings the bell for whoever waits for records
            house.say(("vase", number))
            house.relay()
        until(lambda: len(looks) > 2, "it looks whether it may go on")
        took = time.monotonic() - began

        assert len(looks) <= took / STILL_SECONDS + 2
        assert house.seen() == [("vase", 1)]
        resumed = time.monotonic()
        pausing.resume(group(), "Ada")
        until(lambda: len(house.seen()) == 41, "the rest handled")
        assert time.monotonic() - resumed < 10 * STILL_SECONDS
