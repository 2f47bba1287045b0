"""The pytest plugin. It is a module of its own, so that a site can run with injected faults without pytest."""

from collections.abc import Iterator
from typing import Any

import pytest

from eventbus import clock
from eventbus.testing.scenario import Scenario
from eventbus.testing.settling import forget


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark that `scenario` reads."""
    text = "bus_groups(*names): the fixture `scenario` runs the handlers of these consumer groups alone"
    config.addinivalue_line("markers", text)


@pytest.fixture(autouse=True)
def _fresh_bus() -> Iterator[None]:
    """Reset the bus, so that no test inherits another's offsets."""
    forget()
    yield
    forget()


@pytest.fixture
def bus(db: Any) -> Iterator[None]:
    """A database, and a bus that has no events yet."""
    yield


@pytest.fixture
def bus_clock() -> Iterator[Any]:
    """The bus's clock, held at the time the test began; move it with `bus_clock.advance(minutes=31)`."""
    clock.hold(clock.now())
    yield clock
    clock.hold(None)


@pytest.fixture
def scenario(bus: None, bus_clock: Any, request: pytest.FixtureRequest) -> Scenario:
    """Act, then expect published events: see `Scenario`. The clock is held.

    `@pytest.mark.bus_groups("loyalty")` has it run the handlers of this consumer group alone.
    """
    mark = request.node.get_closest_marker("bus_groups")
    return Scenario().only(*mark.args) if mark else Scenario()
