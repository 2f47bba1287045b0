"""Promise 4: after a repair, what failed alike follows the first success at once, in order, and a few at a time."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from eventbus import RetryLater, clock, publish
from eventbus.failures import circuit_breaker
from eventbus.failures.failed_alike import ALIKE_AT_ONCE
from eventbus.models import ParkedKey
from tests.eventbus.bus_app import House, Mended, Sown

FIRST = "vase"
OTHERS = [f"cup {number}" for number in range(5)]
HOURS = timedelta(hours=5)  # a backoff that nobody waits for


def fail_each(house: House, broken: Mended, *keys: str) -> None:
    """Let each key fail, and wait for long; then only the first is due, as its backoff has it."""
    house.say(*((key, number) for number in (1, 2) for key in keys))
    house.settle()
    assert house.parked() == sorted(keys)
    ParkedKey.objects.update(due_at=clock.now() + HOURS)
    make_due(keys[0])
    broken.calls = 0


def make_due(key: str) -> None:
    ParkedKey.objects.filter(key=key).update(due_at=clock.now())


def due() -> int:
    return ParkedKey.objects.filter(due_at__lte=clock.now()).count()


@pytest.mark.django_db(transaction=True)
class WhatFailedAlikeFollows:
    """Promise 4, after a repair."""

    def test_after_a_repair_the_first_success_lets_all_that_failed_alike_follow(self, house: House, bus_clock) -> None:
        broken = Mended(FIRST, *OTHERS)
        house.handler(call=broken)
        fail_each(house, broken, FIRST, *OTHERS)

        broken.names.clear()
        house.settle()

        assert house.parked() == []
        assert all(house.seen(name=key) == [1, 2] for key in (FIRST, *OTHERS))
        assert len(house.seen()) == 2 * (1 + len(OTHERS))

    def test_without_a_success_nobody_follows(self, house: House, bus_clock) -> None:
        broken = Mended(FIRST, *OTHERS)
        house.handler(call=broken)
        fail_each(house, broken, FIRST, *OTHERS)

        house.settle()

        assert broken.calls == 1  # of the key that was due

    def test_one_success_makes_few_due(self, house: House, bus_clock) -> None:
        names = [f"cup {number}" for number in range(2 * ALIKE_AT_ONCE)]
        broken = Mended(FIRST, *names)
        house.handler(call=broken)
        # A few at a time, with a success between them: more failures would open the circuit breaker.
        house.say(*((f"well {number}", 1) for number in range(2 * len(names))))
        fail_each(house, broken, FIRST, *names)
        house.restart()
        broken.names.clear()

        worker = house.worker()
        house.step(worker)
        while FIRST in house.parked():
            house.step(worker)

        assert due() == ALIKE_AT_ONCE
        worker.leave()
        house.settle()
        assert house.parked() == []

    def test_a_key_that_fails_again_is_not_hurried_by_the_next_success(self, house: House, bus_clock) -> None:
        broken = Mended(FIRST, *OTHERS)
        house.handler(call=broken)
        fail_each(house, broken, FIRST, *OTHERS)

        broken.names = {OTHERS[0]}  # its data is at fault, whatever the others' fault was
        house.settle()

        assert (house.parked(), broken.calls) == ([OTHERS[0]], 1)

    @pytest.mark.parametrize("error", [KeyError("another fault"), RetryLater("the other topic is behind")])
    def test_a_key_with_another_error_or_a_wait_of_its_own_is_left_alone(
        self, house: House, bus_clock, error: Exception
    ) -> None:
        broken = Mended(FIRST)
        others = Mended(*OTHERS, error=error)

        def both(event: Any) -> None:
            broken(event)
            others(event)

        house.handler(call=both)
        fail_each(house, broken, FIRST, *OTHERS)

        broken.names.clear()
        others.calls = 0
        house.settle()

        assert (house.parked(), others.calls) == (OTHERS, 0)

    def test_keys_that_wait_for_data_of_their_own_do_not_hurry_one_another(self, house: House, bus_clock) -> None:
        early = Mended(FIRST, *OTHERS, error=RetryLater("the other topic is behind"))
        house.handler(call=early)
        fail_each(house, early, FIRST, *OTHERS)

        early.names.discard(FIRST)
        house.settle()

        assert (house.parked(), early.calls) == (OTHERS, 0)

    def test_another_type_of_event_is_left_alone(self, house: House, bus_clock) -> None:
        broken = Mended(FIRST)
        house.handler(call=broken)
        house.handler(call=Mended("bed"), on=Sown)
        with transaction.atomic():
            publish(Sown(name="bed", number=1))
        house.settle()
        fail_each_alone(house, broken)

        broken.names.clear()
        house.settle()

        assert house.parked() == ["bed"]

    def test_a_probe_that_succeeds_lets_the_others_follow(self, house: House, bus_clock) -> None:
        broken = Mended(FIRST, *OTHERS)
        house.handler(call=broken)
        fail_each(house, broken, FIRST, *OTHERS)
        circuit_breaker.trip("house-a", "most of it fails")
        broken.names.clear()
        bus_clock.advance(minutes=1)
        house.settle()

        assert house.parked() == []

    def test_another_groups_keys_are_left_alone(self, house: House, bus_clock) -> None:
        broken, others = Mended(FIRST), Mended(FIRST)
        house.handler(call=broken)
        house.handler("house-b", others)
        house.say((FIRST, 1))
        house.settle()
        ParkedKey.objects.update(due_at=clock.now() + HOURS)
        ParkedKey.objects.filter(group="house-a").update(due_at=clock.now())
        broken.names.clear()
        others.calls = 0

        house.settle()

        assert (house.parked(), house.parked("house-b"), others.calls) == ([], [FIRST], 0)


def fail_each_alone(house: House, broken: Mended) -> None:
    """As `fail_each` for the first key, beside a key that failed before."""
    house.say((FIRST, 1))
    house.settle()
    ParkedKey.objects.update(due_at=clock.now() + HOURS)
    make_due(FIRST)
    broken.calls = 0
