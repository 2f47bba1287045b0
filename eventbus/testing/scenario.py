"""Act, then expect the events that are published."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self, TypeVar

from django.db import transaction

from eventbus import clock, publish
from eventbus.events import Event, decode
from eventbus.models import DeadLetter, OutboxRow, ParkedKey
from eventbus.testing.settling import known_groups, settle

E = TypeVar("E", bound=Event)
A = TypeVar("A")


class Scenario:
    """A test on the real bus: act, then expect events. The fixture `scenario` gives a fresh one.

    def test_an_unpaid_order_ends_at_its_deadline(scenario):
        scenario.act(place_order, ORDER)
        scenario.expect(StockReserved, lambda event: event.order_id == ORDER)

        cancelled = scenario.expect(OrderCancelled, after=timedelta(minutes=31))

        assert cancelled.reason == "payment_timeout"
    """

    def __init__(self) -> None:
        self._since = _end()
        self.groups: list[str] | None = None  # those whose handlers run; None: all

    def only(self, *groups: str) -> Self:
        """Run the handlers of these consumer groups alone from now on. Returns the scenario. Raises as `settle`."""
        self.groups = known_groups(groups)
        return self

    def act(self, call: Callable[..., A], *arguments: Any, **named: Any) -> A:
        """Run `call`, and return its result. `expect` looks only at events from here on."""
        self._since = _end()
        return call(*arguments, **named)

    def publish(self, *events: Event) -> None:
        """Publish these events, as another module would. `expect` looks at them and at later events."""
        self._since = _end()
        with transaction.atomic():
            publish(*events)

    def expect(
        self, event_type: type[E], matching: Callable[[E], bool] | None = None, *, after: timedelta | None = None
    ) -> E:
        """Return the first such event since the last `act`, once nothing more happens.

        `matching`: a condition on the event. `after`: move the clock forward by this first. Raises AssertionError that
        shows which events were published instead, and which handlers failed.
        """
        found = self._find(event_type, matching, after)
        if not found:
            raise AssertionError(f"No {event_type.wire_type()} as expected. {self._story()}")
        return found[0]

    def expect_none(
        self, event_type: type[E], matching: Callable[[E], bool] | None = None, *, after: timedelta | None = None
    ) -> None:
        """Check that no such event follows the last act, once the bus is quiet. Raises AssertionError as `expect`."""
        if self._find(event_type, matching, after):
            raise AssertionError(f"{event_type.wire_type()} was not to be told. {self._story()}")

    def _find(self, event_type: type[E], matching: Callable[[E], bool] | None, after: timedelta | None) -> list[E]:
        settle(only=self.groups, raise_errors=False)  # the assertion shows the failures
        if after is not None:
            clock.hold(clock.now() + after)
            settle(only=self.groups, raise_errors=False)
        rows = OutboxRow.objects.filter(id__gt=self._since, type=event_type.wire_type()).order_by("id")
        told = [decode(bytes(row.payload), event_type) for row in rows]
        return [event for event in told if matching is None or matching(event)]

    def _story(self) -> str:
        told = [
            f"  {row.type} {bytes(row.payload).decode(errors='replace')}"
            for row in OutboxRow.objects.filter(id__gt=self._since).order_by("id")
        ]
        failed = [
            f"  {row.group} on {row.topic} {row.key}: {row.error}" for row in ParkedKey.objects.order_by("id")
        ] + [
            f"  {row.group} on {row.type} {row.key}: {row.error_class}: {row.error}"
            for row in DeadLetter.objects.filter(parks=False).order_by("id")  # those that park are listed above
        ]
        lines = ["Told since the last act:", *(told or ["  nothing"]), *(["Failed:", *failed] if failed else [])]
        return "\n".join(lines)


def _end() -> int:
    return OutboxRow.objects.order_by("-id").values_list("id", flat=True).first() or 0
