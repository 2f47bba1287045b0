"""`manage.py eventbus status`: its exit code says whether all is well, and the delivery audit balances."""

import json
from typing import Any
from unittest.mock import Mock

import pytest

from eventbus import Permanent, backends, registry
from eventbus.errors import LogUnavailable
from eventbus.models import InboxRow
from tests.eventbus.bus_app import House, Noted
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


def test_status_fails_when_a_group_stands_and_names_it(house: House, bus_clock: Any) -> None:
    house.handler()
    house.say(("vase", 1))
    house.relay()
    bus_clock.advance(minutes=5)

    with a_living_dispatcher():
        code, said, complaint = run("eventbus", "status", "--json")

    assert code == 1
    assert "Group house-a stands: it has not moved in house/" in complaint
    assert "for 300 s. Start its workers" in complaint
    [stands] = json.loads(said)["standing"]
    assert (stands["group"], stands["topic"], stands["seconds"]) == ("house-a", "house", 300.0)


def test_status_names_a_group_that_stands_since_it_is_not_in_the_code(house: House, bus_clock: Any) -> None:
    house.handler("gone")
    house.say(("vase", 1))
    house.relay()
    del registry.groups["gone"]
    bus_clock.advance(minutes=5)

    with a_living_dispatcher():
        code, _, complaint = run("eventbus", "status")

    assert code == 1
    assert "It is not in the code: close it with manage.py eventbus close" in complaint


def test_a_dead_event_is_a_problem_but_the_ledger_balances(house: House) -> None:
    def fail(event: Noted) -> None:
        raise Permanent("poison")

    house.handler(call=fail)
    house.say(("vase", 1))
    house.settle()

    with a_living_dispatcher():
        _, _, complaint = run("eventbus", "status")

    assert "Dead letters: 1" in complaint
    assert "balance" not in complaint


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


def test_status_waits_for_brokers_that_are_too_busy_to_answer_a_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.handler()
    house.say(("vase", 1))
    monkeypatch.setattr(backends.current(), "ends_now", Mock(return_value={}))

    with a_living_dispatcher():
        _, told, complaint = run("eventbus", "status", "--json")

    [house_a] = [group for group in json.loads(told)["groups"] if group["group"] == "house-a"]
    assert house_a["end"] is not None
    assert "does not give the end" not in complaint


def test_brokers_that_a_command_needs_and_that_do_not_answer_are_told_in_a_sentence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventbus.operations.status.status", Mock(side_effect=LogUnavailable("no broker has answered")))

    assert run("eventbus", "status") == (1, "", "no broker has answered")
