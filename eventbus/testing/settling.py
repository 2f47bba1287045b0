"""Run relay and workers in the test's own thread, until the bus has nothing left to do now."""

from collections.abc import Callable, Collection
from typing import TypeVar

from django.db import OperationalError, transaction

from eventbus import backends, publish, registry
from eventbus.consuming.worker import Worker
from eventbus.errors import BusError
from eventbus.events import Event, decode
from eventbus.models import OutboxRow
from eventbus.publishing.relay import Relay

CATCH_UP_SECONDS = 20.0  # for a log on brokers to deliver its records
ROUNDS_MAX = 1_000  # a bus that is not quiet after so many rounds has handlers that answer each other

_workers: dict[str, Worker] = {}  # by the name of their group
E = TypeVar("E", bound=Event)


class Crash(BaseException):
    """The simulated death of the process. Raise it in a handler or a backend: `settle` goes on as a new process would.

    def test_a_death_in_the_middle_loses_nothing(bus):
        place_order(ORDER)

        with reserving(failing_once_with=Crash()):
            settle()

        assert [told.order_id for told in published_events(StockReserved)] == [ORDER]
    """


class ConnectionDropped(OperationalError):
    """The connection to a backend or a database dropped, an infrastructure error: `settle` reads on, like a worker."""


def settle(*events: Event, only: Collection[str] | None = None, raise_errors: bool = True) -> None:
    """Relay and handle until nothing more happens now. Raises the first error of a handler, if `raise_errors`.

    `events`: published first, in a transaction of their own, as by another module. Raises the errors of `publish`.
    `only`: the consumer groups whose handlers run; the events of other groups wait in the log. Raises BusError, with
    the known names, for a group that does not exist. Without `only` every group runs.
    A failed event is parked as in production: move the clock with `clock.advance` and settle again to see it retried.
    """
    names = sorted(registry.groups) if only is None else known_groups(only)
    if events:
        with transaction.atomic():
            publish(*events)
    failures: list[BaseException] = []
    for _ in range(ROUNDS_MAX):
        try:
            moved = _round(names, failures)
        except Crash:
            forget()
            continue
        if not moved:
            break
    else:
        raise AssertionError(f"The bus is not quiet after {ROUNDS_MAX} rounds: do two handlers answer each other?")
    if failures and raise_errors:
        raise failures[0]


def known_groups(names: Collection[str]) -> list[str]:
    """Return these names of consumer groups, sorted. Raises BusError for an unknown one."""
    if isinstance(names, str):
        raise BusError(f"Groups are a list of names: write [{names!r}]")
    if unknown := sorted(set(names) - set(registry.groups)):
        raise BusError(f"No such group: {', '.join(unknown)}. Known: {', '.join(sorted(registry.groups))}.")
    return sorted(set(names))


def _round(names: Collection[str], failures: list[BaseException]) -> int:
    """Run the relay and the worker of each of these groups once, and return how much moved."""
    moved = _step(Relay(backends.current()).step, on_drop=backends.current().reset)
    for name in names:
        worker = _workers.get(name) or _workers.setdefault(name, Worker(registry.groups[name], backends.current()))
        if not backends.current().in_process:
            worker.catch_up(CATCH_UP_SECONDS)
        moved += _step(worker.step, on_drop=worker.start_over)
        failures += worker.failures
    return moved


def _step(step: Callable[[], int], on_drop: Callable[[], None]) -> int:
    try:
        return step()
    except ConnectionDropped:
        on_drop()
        return 1  # so that there is another try


def published_events(event_type: type[E]) -> list[E]:
    """Return every event of a type in the outbox, in the order in which they were published."""
    rows = OutboxRow.objects.filter(type=event_type.wire_type()).order_by("id")
    return [decode(bytes(row.payload), event_type) for row in rows]


def forget() -> None:
    """Close all workers and reset the backend. `settle` then goes on as a restarted process would."""
    while _workers:
        _workers.popitem()[1].leave()
    backends.current().reset()
