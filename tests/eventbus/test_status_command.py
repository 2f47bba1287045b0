"""`manage.py eventbus status`: its exit code says whether all is well, and the delivery audit balances."""

import json
from typing import Any
from unittest.mock import Mock

import pytest

from eventbus import backends
from eventbus.errors import LogUnavailable
from eventbus.models import InboxRow
from tests.eventbus.bus_app import House
from tests.eventbus.test_commands import a_living_dispatcher, run


def test_status_shows_where_every_event_lies(house: House) -> None:
    house.handler()
    house.say(("vase", 1), ("chair", 1))
    house.settle()

    with a_living_dispatcher():
        code, said, _ = run("eventbus", "status")

    assert code == 0
    header, row = [line.split() for line in said.splitlines() if line.startswith(("group ", "house-a "))][-2:]
    assert dict(zip(header, row, strict=True))["published"] == "2"
    assert row[2:] == ["2", "2", *["0"] * 7]


def test_status_says_how_old_the_oldest_event_is_that_the_log_has_not(house: House, bus_clock: Any) -> None:
    house.handler()
    bus_clock.advance(minutes=1)
    told = []

    with a_living_dispatcher():
        for step in (lambda: house.say(("vase", 1)), lambda: bus_clock.advance(seconds=90), house.settle):
            step()
            told.append([run("eventbus", "status", *how)[1] for how in ((), ("--json",))])

    outboxes = [json.loads(machines)["outbox"] for _, machines in told]
    assert [(outbox["depth"], outbox["oldest_seconds"]) for outbox in outboxes] == [(1, 0.0), (1, 90.0), (0, 0.0)]
    assert ["the oldest 90.0 s old" in said for said, _ in told] == [False, True, False]
    assert "the oldest" not in told[-1][0]


def test_status_fails_when_an_event_is_lost_and_names_it(house: House) -> None:
    house.handler()
    [event_id] = house.say(("vase", 1))
    house.settle()
    InboxRow.objects.all().delete()

    with a_living_dispatcher():
        code, said, complaint = run("eventbus", "status", "--json")

    assert code == 1
    assert f"lost (passed, and nowhere): 1, such as {event_id}" in complaint
    assert json.loads(said)["audit"]["violations"][0]["event_ids"] == [str(event_id)]
    assert json.loads(said)["problems"] == complaint.splitlines()


def test_status_answers_at_once_without_the_ledger(house: House) -> None:
    house.handler()
    house.say(("vase", 1))
    house.settle()
    InboxRow.objects.all().delete()

    with a_living_dispatcher():
        code, said, _ = run("eventbus", "status", "--json", "--no-audit")

    assert code == 0
    assert json.loads(said)["audit"] is None


def test_status_tells_all_the_rest_while_the_brokers_do_not_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just then somebody wants to know what waits."""
    house.handler()
    house.say(("vase", 1))
    monkeypatch.setattr(backends.current(), "ends", Mock(side_effect=LogUnavailable("no broker has answered")))

    with a_living_dispatcher():
        code, said, complaint = run("eventbus", "status")
        _, told, _ = run("eventbus", "status", "--json")

    assert (code, complaint) == (1, "no broker has answered")
    assert "outbox: 1 unsent" in said
    [row, _] = [line.split() for line in said.splitlines() if line.startswith("house-a ")]
    assert row[3:5] == ["?", "?"], "where the log ends, and the lag"
    [house_a] = [group for group in json.loads(told)["groups"] if group["group"] == "house-a"]
    assert (house_a["offset"], house_a["end"], house_a["lag"]) == (0, None, None)
