"""For tests of what uses the bus: let it run until it is quiet, look at what was said, hold the clock.

    def test_a_placed_order_reserves_stock(bus):
        place_order(...)

        settle()

        assert published_events(StockReserved)

Works with pytest-django's `db` and `transactional_db` alike: everything runs in the test's own thread.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
import pytest

from eventbus import backends, clock, registry
from eventbus.events import Event
from eventbus.models import OutboxRow
from eventbus.relay import Relay
from eventbus.worker import Worker

ROUNDS_MAX = 1_000  # a bus that is not quiet after so many rounds is talking to itself

_workers: list[Worker] = []
E = TypeVar("E", bound=Event)


def settle(*, raise_errors: bool = True) -> None:
    """Relay and handle until nothing more happens now. Raises the first error of a handler, unless told not to.

    What failed is parked as in earnest: move the clock with `clock.advance` and settle again to see it retried.
    """
    if not _workers:
        _workers.extend(Worker(group, backends.current()) for _, group in sorted(registry.groups.items()))
    relay = Relay(backends.current())
    failures: list[BaseException] = []
    for _ in range(ROUNDS_MAX):
        moved = relay.step()
        for worker in _workers:
            moved += worker.step()
            failures += worker.failures
        if not moved:
            break
    else:
        raise AssertionError(f"The bus is not quiet after {ROUNDS_MAX} rounds: do two handlers answer each other?")
    if failures and raise_errors:
        raise failures[0]


def published_events(event_type: type[E]) -> list[E]:
    """Every event of a type in the outbox, in the order in which they were published."""
    rows = OutboxRow.objects.filter(type=event_type.wire_type()).order_by("id")
    return [msgspec.json.decode(bytes(row.payload), type=event_type) for row in rows]


@pytest.fixture(autouse=True)
def _fresh_bus() -> Iterator[None]:
    """No test inherits another's positions."""
    forget()
    yield
    forget()


def forget() -> None:
    """Let `settle` begin anew, as a restarted process would."""
    _workers.clear()
    backends.current().reset()


@pytest.fixture
def bus(db: Any) -> Iterator[None]:
    """A database with a bus at its beginning."""
    yield


@pytest.fixture
def bus_clock() -> Iterator[Any]:
    """The bus's clock, held at the time the test began; move it with `bus_clock.advance(minutes=31)`."""
    clock.hold(clock.now())
    yield clock
    clock.hold(None)
