"""Dead letters of one fault in the code are one group, and those of another fault another."""

from collections.abc import Iterator

import pytest

from eventbus import Permanent
from eventbus.failures import causes
from eventbus.models import OutboxRow
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


@pytest.mark.misfits
def test_an_event_that_cannot_be_decoded_was_raised_in_the_bus(house: House) -> None:
    house.handler(attempts=1, on_dead="skip")
    house.say(("vase", 1))
    OutboxRow.objects.update(payload=b"no json")
    house.settle()

    [found] = failure_groups()
    assert found.code_line.startswith("eventbus.events.")


def test_a_fingerprint_never_changes() -> None:
    """Letters that wait during an upgrade stay with those that die after it."""
    one = causes.Cause(group="mail", type="order.paid.v1", handler="a.b", error_class="ValueError", code_line="a.b:7")

    assert one.fingerprint == "96529829615d316f8f734d7c86ec357c"
