"""The kit for tests of others: its stories, its deaths, and every example that we print of it."""

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from eventbus import Event, clock, handles, publish, registry, testing
from eventbus.backends import current
from eventbus.progress import group_starts
from eventbus.testing import Crash, Scenario, fault_injection, settling
from tests.eventbus.bus_app import House, Mended, Noted
from tests.journeys import examples

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "testing.md").read_text()
PLUGIN, IMPORTS, *EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
ORDER = "order-1"


# --- stories -------------------------------------------------------------------------------------------------------


def test_a_story_gives_what_was_told(house: House, scenario: Scenario) -> None:
    house.handler("house-a", lambda event: publish(Noted(name="echo", number=9)) if event.name == "vase" else None)

    scenario.publish(Noted(name="vase", number=1))

    assert scenario.expect(Noted, lambda event: event.name == "echo").number == 9
    scenario.expect_none(Noted, lambda event: event.number == 2)
    assert house.seen() == [("vase", 1), ("echo", 9)]


def test_a_timer_is_told_when_its_time_has_come(house: House, scenario: Scenario) -> None:
    @transaction.atomic
    def remind() -> None:
        publish(Noted(name="vase", number=1), due=clock.now() + timedelta(minutes=10))

    scenario.act(remind)
    scenario.expect_none(Noted, after=timedelta(minutes=9))

    assert scenario.expect(Noted, after=timedelta(minutes=1)).number == 1


def test_a_disappointed_story_shows_what_was_told_and_who_failed(house: House, scenario: Scenario) -> None:
    house.handler("house-a", Mended("vase", error=ValueError("out of glue")))
    house.handler("house-b", Mended("vase", error=ValueError("out of sight")), attempts=1, on_dead="skip")
    scenario.publish(Noted(name="vase", number=1))

    with pytest.raises(AssertionError) as disappointed:
        scenario.expect(Noted, lambda event: event.number == 2)

    message = str(disappointed.value)
    assert 'house.noted.v1 {"name":"vase","number":1}' in message
    assert "house-a on house vase: ValueError: out of glue" in message
    assert "house-b on house.noted.v1 vase: ValueError: out of sight" in message


# --- examples ------------------------------------------------------------------------------------------------------


class OrderPlaced(Event, name="example.placed", topic="examples", key="order_id"):
    """As the docstrings' examples have it."""

    order_id: str


class StockReserved(OrderPlaced, name="example.reserved", topic="examples", key="order_id"):
    """The answer to it."""


class OrderCancelled(OrderPlaced, name="example.cancelled", topic="examples", key="order_id"):
    """What becomes of it after half an hour."""

    reason: str


@transaction.atomic
def place_order(order_id: str) -> None:
    publish(OrderPlaced(order_id=order_id))
    publish(OrderCancelled(order_id=order_id, reason="payment_timeout"), due=clock.now() + timedelta(minutes=30))


class Desk:
    """Reserves stock, and can be told to fail once."""

    def __init__(self) -> None:
        self.fails: list[BaseException] = []

    def __call__(self, event: OrderPlaced) -> None:
        publish(StockReserved(order_id=event.order_id))
        if self.fails:
            raise self.fails.pop()

    @contextmanager
    def failing(self, *, failing_once_with: BaseException) -> Iterator[None]:
        self.fails.append(failing_once_with)
        yield
        assert self.fails == []


PRINTED = {
    "the kit": testing.__doc__,
    "a story": Scenario.__doc__,
    "a death": Crash.__doc__,
    "an faults": fault_injection.__doc__,
}


@pytest.mark.parametrize("name", PRINTED)
@pytest.mark.django_db(transaction=True)
def test_the_docstrings_examples_hold(name: str, house: House, request: pytest.FixtureRequest) -> None:
    desk = Desk()
    handles(OrderPlaced, group="desk")(desk)
    group_starts.ensure(current(), [registry.groups["desk"]])
    world = {**vars(testing), **vars(settling), **vars(fault_injection), **globals(), "reserving": desk.failing}
    blocks = re.findall(r"^    def test_.*?(?=^\S|\Z)", PRINTED[name] or "", re.MULTILINE | re.DOTALL)

    assert [run(textwrap.dedent(block), world, request) for block in blocks] != []


def imported() -> dict[str, Any]:
    """The names of a test file that begins as the page says."""
    names: dict[str, Any] = {}
    exec(IMPORTS, names)
    return names


@pytest.mark.parametrize("code", EXAMPLES)
@pytest.mark.django_db
def test_the_pages_examples_hold(code: str, request: pytest.FixtureRequest) -> None:
    run(code, vars(examples) | imported(), request)


def test_the_pages_plugin_has_the_fixtures_that_it_names() -> None:
    names: dict[str, Any] = {}
    exec(PLUGIN, names)
    [plugin] = [import_module(name) for name in names["pytest_plugins"]]

    told = re.search(r"fixtures of the bus \((.*?)\)", PAGE)
    assert told
    fixtures = re.findall(r"`(\w+)`", told[1])
    assert [name for name in fixtures if not hasattr(plugin, name)] == []
    assert f"`{PLUGIN.strip()}`" in (DOCS / "reference/testing.md").read_text(), "both pages load the same plugin"


def test_the_pages_mark_lets_an_example_use_the_database() -> None:
    assert imported()["pytestmark"].name == "django_db"


def run(code: str, world: dict[str, Any], request: pytest.FixtureRequest) -> str:
    """Define the test that the text holds, and run it with its fixtures; its name."""
    [name] = re.findall(r"^def (test_\w+)\(", code, re.MULTILINE)
    names: dict[str, Any] = dict(world)
    exec(code, names)
    for mark in getattr(names[name], "pytestmark", []):
        request.node.add_marker(getattr(pytest.mark, mark.name)(*mark.args))
    wanted = names[name].__code__.co_varnames[: names[name].__code__.co_argcount]
    names[name](**{fixture: request.getfixturevalue(fixture) for fixture in wanted})
    return name
