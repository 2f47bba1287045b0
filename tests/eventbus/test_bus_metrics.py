"""The counts of the bus: each group's handled and failed events, retries, effects, and how long events waited."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from eventbus import clock, publish
from eventbus.measuring.reading import AllProcesses
from tests.eventbus.bus_app import House, Mended, Noted

NOTED = "house.noted.v1"
pytestmark = pytest.mark.django_db(transaction=True)


class Counts:
    """What has been counted since this was made."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(AllProcesses())
        self._before = self._read()

    def _read(self) -> dict[tuple[str, ...], float]:
        return {
            (sample.name, *sample.labels.values()): sample.value
            for metric in self._registry.collect()
            for sample in metric.samples
        }

    def grown(self, *names: str) -> dict[tuple[str, ...], float]:
        grown = {series: value - self._before.get(series, 0) for series, value in self._read().items()}
        return {series: value for series, value in grown.items() if value and series[0] in names}


def test_each_group_counts_what_it_handled_by_type(house: House) -> None:
    house.handler("house-a")
    house.handler("house-b")
    counts = Counts()

    house.say(*((f"key {number}", number) for number in range(5)))
    house.settle()

    assert counts.grown("eventbus_handled_total", "eventbus_failed_total", "eventbus_appended_total") == {
        ("eventbus_appended_total", "house"): 5,
        ("eventbus_handled_total", "house-a", NOTED): 5,
        ("eventbus_handled_total", "house-b", NOTED): 5,
    }


def test_failed_attempts_and_retries_are_counted_one_by_one(house: House, bus_clock: Any) -> None:
    fails = Mended("a")
    house.handler(call=fails)
    counts = Counts()

    house.say(("a", 1), ("b", 2))
    house.settle()
    for _ in range(2):
        bus_clock.advance(minutes=30)
        house.settle()
    fails.names.clear()
    bus_clock.advance(minutes=30)
    house.settle()

    assert counts.grown("eventbus_handled_total", "eventbus_failed_total", "eventbus_retried_total") == {
        ("eventbus_handled_total", "house-a", NOTED): 2,
        ("eventbus_failed_total", "house-a", NOTED): 3,
        ("eventbus_retried_total", "house-a", NOTED): 3,
    }


def test_the_wait_of_an_event_begins_when_it_is_published_and_that_of_a_timer_when_it_is_due(
    house: House, bus_clock: Any
) -> None:
    from django.db import transaction

    house.handler()
    counts = Counts()
    house.say(("a", 1))
    bus_clock.advance(seconds=3)
    house.settle()
    with transaction.atomic():
        publish(Noted(name="b", number=2), due=clock.now())
    with transaction.atomic():
        publish(Noted(name="c", number=3), due=clock.now().replace(year=clock.now().year + 1))
    house.settle()
    bus_clock.advance(days=366)
    house.settle()

    grown = counts.grown("eventbus_latency_seconds_sum", "eventbus_latency_seconds_count")
    assert grown == {
        ("eventbus_latency_seconds_count", "house-a"): 3,
        ("eventbus_latency_seconds_sum", "house-a"): 3.0,
    }


def test_effects_are_counted_by_outcome(house: House, bus_clock: Any) -> None:
    answers = iter([ConnectionError("away"), None])

    def ask(event: Noted, **named: Any) -> None:
        if error := next(answers):
            raise error

    house.effect(call=ask, on_unknown_outcome="retry")
    counts = Counts()

    house.say(("a", 1))
    house.settle()
    bus_clock.advance(minutes=30)
    house.settle()

    assert counts.grown("eventbus_effects_total", "eventbus_effect_duration_seconds_count") == {
        ("eventbus_effects_total", "house-a", "failed"): 1,
        ("eventbus_effects_total", "house-a", "answered"): 1,
        ("eventbus_effect_duration_seconds_count", "house-a"): 2,
    }
