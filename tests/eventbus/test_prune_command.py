"""`manage.py eventbus prune` and `close`, as an operator types them."""

import json

import pytest

from eventbus import registry
from eventbus.models import InboxRow, OutboxRow, Progress
from tests.eventbus.bus_app import House
from tests.eventbus.test_commands import run


@pytest.fixture
def old(house: House, bus_clock) -> House:
    """A house whose events were all handled, two days ago."""
    house.handler()
    house.say(*(("vase", number) for number in range(5)))
    house.settle()
    bus_clock.advance(hours=48)
    return house


def test_prune_says_how_many_rows_it_took(old: House) -> None:
    code, said, _ = run("eventbus", "prune")

    assert code == 0
    assert ["events", "4"] in [line.split() for line in said.splitlines()]
    assert OutboxRow.objects.count() == 1


def test_a_dry_run_takes_nothing(old: House) -> None:
    code, said, _ = run("eventbus", "prune", "--dry-run", "--json")

    assert code == 0
    told = json.loads(said)
    assert (told["events"], told["dry_run"]) == (4, True)
    assert OutboxRow.objects.count() == 5


@pytest.mark.parametrize(
    ("hours", "told"),
    [("0", "at least"), ("-1", "at least"), ("nan", "at least"), ("inf", "at most"), ("soon", "is no number of hours")],
)
def test_a_window_that_is_none_is_refused(old: House, hours: str, told: str) -> None:
    code, _, complaint = run("eventbus", "prune", "--older-than", hours)

    assert code != 0
    assert "--older-than" in complaint
    assert told in complaint
    assert OutboxRow.objects.count() == 5


def test_prune_names_the_group_that_holds_rows_back_and_close_lets_them_go(old: House) -> None:
    Progress.objects.filter(group="house-a").update(start=0, offset=0, handled=0)
    InboxRow.objects.all().delete()
    del registry.groups["house-a"]

    code, said, _ = run("eventbus", "prune")
    assert code == 0
    assert "Group house-a, which the code does not name, holds back 5 events of house." in said
    assert "manage.py eventbus close house-a --topic house" in said

    code, said, _ = run("eventbus", "close", "house-a", "--topic", "house", "--json")
    assert code == 0
    assert json.loads(said)["pending"] == 5
    assert json.loads(run("eventbus", "prune", "--json")[1])["events"] == 4
