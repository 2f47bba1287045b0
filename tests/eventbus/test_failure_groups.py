"""Dead letters of one fault in the code are one group, and those of another fault another."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from eventbus import Permanent
from eventbus.failures import causes
from eventbus.models import DeadLetter, OutboxRow
from eventbus.selections.failure_groups import FailureGroup, failure_groups
from tests.eventbus.bus_app import House, Noted, open_house


@pytest.fixture
def house(db: None) -> Iterator[House]:
    with open_house() as house:
        yield house


def drop(event: Noted) -> None:
    """A handler with two faults, and one in what it calls."""
    if event.name == "vase":
        raise Permanent(f"the vase {event.number} fell")
    if event.name == "cup":
        raise Permanent(f"the cup {event.number} fell")
    int(f"no number {event.number}")


def by_key(house: House) -> dict[str, FailureGroup]:
    found = {one.cause: one for one in failure_groups()}
    return {letter.key: found[letter.cause] for letter in house.dead()}


def test_letters_are_grouped_by_the_line_that_failed_and_not_by_its_text(house: House) -> None:
    house.handler(call=drop, on_dead="skip", attempts=1)
    house.say(*((name, number) for name in ("vase", "cup", "dish") for number in range(3)))
    house.settle()

    found = by_key(house)

    assert sorted((key, one.count, one.error_class) for key, one in found.items()) == [
        ("cup", 3, "Permanent"),
        ("dish", 3, "ValueError"),
        ("vase", 3, "Permanent"),
    ]
    assert len({one.cause for one in found.values()}) == 3
    assert {one.code_line.rpartition(":")[0] for one in found.values()} == {f"{__name__}.drop"}
    assert {(one.group, one.type) for one in found.values()} == {("house-a", Noted.wire_type())}
    assert all("write_down" in one.handler for one in found.values())


def test_each_group_of_consumers_has_its_own_failures(house: House) -> None:
    for group in ("house-a", "house-b"):
        house.handler(group, call=drop, on_dead="skip", attempts=1)
    house.say(("vase", 1))
    house.settle()

    assert {one.group for one in failure_groups()} == {"house-a", "house-b"}
    assert len({one.cause for one in failure_groups()}) == 2


@pytest.mark.misfits
def test_an_event_that_cannot_be_decoded_was_raised_in_the_bus(house: House) -> None:
    house.handler(attempts=1, on_dead="skip")
    house.say(("vase", 1))
    OutboxRow.objects.update(payload=b"no json")
    house.settle()

    [found] = failure_groups()
    assert found.code_line.startswith("eventbus.events.")


def test_many_letters_are_grouped_in_three_statements(house: House) -> None:
    house.handler(call=drop, on_dead="skip", attempts=1)
    house.say(*((name, number) for name in ("vase", "cup", "dish") for number in range(20)))
    house.settle()

    with CaptureQueriesContext(connection) as asked:
        assert [one.count for one in failure_groups()] == [20, 20, 20]

    assert len(asked) == 3
    [counting] = [one["sql"] for one in asked if "COUNT" in one["sql"] and "request" not in one["sql"]]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {counting}")
            assert "COVERING INDEX eventbus_dead_letter_cause" in str(cursor.fetchall())


def test_a_fingerprint_never_changes() -> None:
    """Letters that wait during an upgrade stay with those that die after it."""
    one = causes.Cause(group="mail", type="order.paid.v1", handler="a.b", error_class="ValueError", code_line="a.b:7")

    assert one.fingerprint == "96529829615d316f8f734d7c86ec357c"


def test_a_long_line_of_code_keeps_its_number(house: House, monkeypatch: Any) -> None:
    monkeypatch.setattr(causes, "CODE_LINE_CHARACTERS_MAX", 12)
    house.handler(call=drop, on_dead="skip", attempts=1)
    house.say(("vase", 1))
    house.settle()

    code_line = DeadLetter.objects.get().code_line
    assert len(code_line) == 12
    assert code_line.rpartition(":")[2].isdecimal()
