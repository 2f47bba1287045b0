"""Many events are redelivered to a group at once: what it passed is looked through once, and its handlers go on."""

from typing import Any

import pytest
from django.db import connection, transaction

from eventbus import publish
from eventbus.audit import delivery_audit, passed_events
from eventbus.models import OperatorAction, OutboxRow, Progress
from eventbus.repairs import redelivery
from tests.eventbus.bus_app import House, Noted, Unknown
from tests.eventbus.busy_site import many, places
from tests.eventbus.contract.test_dead_letters import NEW, give, learn, lost, pass_over, release_that_knows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redelivery, "EVENTS_AT_ONCE", 2)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Each look through all that a group has passed, and whether its lock was held meanwhile."""
    looks, count_lost = list[bool](), passed_events.count_lost

    def count(progress: Progress) -> int:
        looks.append(connection.in_atomic_block)
        return count_lost(progress)

    monkeypatch.setattr(passed_events, "count_lost", count)
    return looks


def test_however_many_are_lost_all_is_looked_through_as_often_and_nobody_waits(
    house: House, counted: list[bool]
) -> None:
    looks = []
    house.handler("house-a")
    for events in (1, 9):
        house.say(*many("vase", events))
        house.relay()
        pass_over("vase")
        house.restart()
        counted.clear()

        assert sum(redelivery.redeliver("house-a", lost=True, who="ada").types.values()) == events

        looks.append(len(counted))
        if connection.vendor == "sqlite":
            assert True not in counted
        house.settle()
    assert looks[0] == looks[1]
    assert house.seen(name="vase") == [1, *range(1, 10)]
    assert lost() == 0
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_what_is_lost_is_handed_over_with_all_that_was_ignored_before_it(house: House) -> None:
    """Nobody can say which of them were lost: the first that are parked are not taken for those."""
    house.handler("house-a")
    give(house, *["vase"] * 7)
    house.settle()
    house.say(*many("vase", 3))
    house.relay()
    pass_over("vase")
    house.restart()
    house.settle()
    with release_that_knows(NEW):
        learn(house, Unknown, NEW)
        assert lost() == 3

        found = redelivery.redeliver("house-a", types=[NEW], lost=True, who="ada")
        house.settle()

    assert (found.types, found.left) == ({NEW: 7, Noted.wire_type(): 3}, 0)
    assert house.seen(name="vase") == [0] * 7 + [1, 2, 3]
    assert places() == {"handled": 10}


def test_two_who_redeliver_at_the_same_time_count_each_event_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.handler("house-a")
    with transaction.atomic():
        publish(*[Unknown(name="vase")] * 5)
    house.settle()
    learn(house, Unknown, Unknown.wire_type())
    some, others = redelivery._some, []

    def meanwhile(*given: Any) -> Any:
        if not others:
            others.append("bob")
            redelivery.redeliver("house-a", types=[Unknown.wire_type()], at_most=2, who="bob")
        return some(*given)

    monkeypatch.setattr(redelivery, "_some", meanwhile)
    redelivery.redeliver("house-a", types=[Unknown.wire_type()], who="ada")
    house.settle()

    assert house.seen(name="vase") == [0] * 5
    assert places() == {"handled": 5}
    assert set(OperatorAction.objects.values_list("who", flat=True)) == {"ada", "bob"}


def test_keys_that_found_no_room_keep_their_order(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventbus.failures.parking.PARKED_KEYS_MAX", 1)
    house.handler("house-a")
    house.say(("vase", 1), ("chair", 1), ("vase", 2), ("chair", 2), ("vase", 3))
    house.relay()
    pass_over("vase", "chair")
    house.restart()

    asked = 0
    while redelivery.count("house-a", lost=True).types:
        redelivery.redeliver("house-a", lost=True, who="ada")
        house.settle()
        asked += 1

    assert asked > 1
    assert house.seen(name="vase") == [1, 2, 3]
    assert house.seen(name="chair") == [1, 2]
    assert not OutboxRow.objects.filter(offset=None).exists()
