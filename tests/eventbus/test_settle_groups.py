"""A test that runs the handlers of some groups alone."""

import pytest

from eventbus import publish
from eventbus.errors import BusError
from eventbus.testing import Scenario, settle
from tests.eventbus.bus_app import House, Noted


@pytest.fixture
def two_groups(house: House) -> House:
    """Both hear what is noted. The first answers the vase with its echo."""
    house.handler("house-a", lambda event: publish(Noted(name="echo", number=9)) if event.name == "vase" else None)
    house.handler("house-b")
    return house


def test_the_groups_named_handle_and_the_others_wait(two_groups: House) -> None:
    two_groups.say(("vase", 1))

    settle(only=["house-a"])

    assert two_groups.seen("house-a") == [("vase", 1), ("echo", 9)]
    assert two_groups.seen("house-b") == []


def test_those_that_waited_miss_nothing(two_groups: House) -> None:
    two_groups.say(("vase", 1))
    settle(only=["house-b"])
    two_groups.say(("horse", 2))

    settle()

    assert sorted(two_groups.seen("house-a")) == [("echo", 9), ("horse", 2), ("vase", 1)]
    assert sorted(two_groups.seen("house-b")) == [("echo", 9), ("horse", 2), ("vase", 1)]


def test_a_misspelt_group_is_refused_with_the_known_names(two_groups: House) -> None:
    with pytest.raises(BusError, match=r"No such group: hause-a\. Known: house-a, house-b\."):
        settle(only=["hause-a", "house-b"])
    with pytest.raises(BusError, match="No such group: hause-a"):
        Scenario().only("hause-a")


@pytest.mark.bus_groups("orders", "products")
def test_a_mark_names_the_groups_of_a_scenario(scenario: Scenario) -> None:
    assert scenario.groups == ["orders", "products"]
