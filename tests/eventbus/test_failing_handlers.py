"""What operators dread: one poison event among ten thousand, and a handler that fails for everything."""

import time
from collections.abc import Iterator

import pytest

from eventbus import Permanent, backends
from eventbus.backends.memory import MemoryBackend
from eventbus.failures.circuit_breaker import PROBE_SECONDS
from eventbus.models import ConsumerGroup, InboxRow
from eventbus.operations import status
from tests.eventbus.bus_app import House, open_house
from tests.eventbus.contract.test_circuit_breaker import Broken, is_braked
from tests.eventbus.test_commands import run
from tests.waiting import until

EVENTS = 10_000
KEYS = 500
AT_ONCE = 1_000
POISON = 4_321
FAILING_KEYS = 200
POISON_KEY = f"key {POISON % KEYS}"


@pytest.fixture
def one_partition(transactional_db: None) -> Iterator[House]:
    """A house whose whole log is one partition."""
    backends.use(MemoryBackend(partitions=1))
    try:
        with open_house() as house:
            yield house
    finally:
        backends.forget(setting="EVENTBUS")


def say_all(house: House) -> None:
    for first in range(0, EVENTS, AT_ONCE):
        house.say(*((f"key {number % KEYS}", number) for number in range(first, first + AT_ONCE)))


def numbers_of(key: str) -> list[int]:
    return [number for number in range(EVENTS) if f"key {number % KEYS}" == key]


def test_one_poison_event_among_ten_thousand_on_one_partition_holds_up_its_key_alone(one_partition: House) -> None:
    house, broken = one_partition, Broken(lambda event: event.number == POISON, Permanent("poison"))
    house.handler(call=broken)
    say_all(house)
    waits = [number for number in numbers_of(POISON_KEY) if number >= POISON]

    house.settle()
    assert sorted(number for _, number in house.seen()) == [number for number in range(EVENTS) if number not in waits]
    assert (house.parked(), len(house.dead()), is_braked()) == ([POISON_KEY], 1, False)

    broken.mend()
    assert run("eventbus", "requeue", "--key", POISON_KEY)[0] == 0
    house.settle()
    assert house.seen(name=POISON_KEY) == numbers_of(POISON_KEY)
    assert len(house.seen()) == EVENTS
    assert (house.parked(), house.dead()) == ([], [])


@pytest.mark.parametrize("attempts", [1, 8])
def test_a_handler_that_fails_for_everything_is_braked_and_goes_on_by_itself_once_it_is_mended(
    house: House, attempts: int
) -> None:
    broken = Broken()
    house.handler(call=broken, attempts=attempts)
    house.say(*((f"key {number % FAILING_KEYS}", number) for number in range(2 * FAILING_KEYS)))
    house.relay()

    with house.working():
        until(is_braked, "the circuit breaker")
        [problem] = [one for one in status.problems(status.status(), dispatches=True) if "circuit breaker" in one]
        assert "ValueError" in problem
        assert "broken" not in problem  # an error may quote an event, and not everybody who looks may see those
        dead, parked = len(house.dead()), len(house.parked())
        assert (dead < 100, parked < 100, house.seen()) == (True, True, [])
        failures = broken.failures
        until(lambda: broken.failures > failures, "a probe")
        assert (len(house.dead()), len(house.parked())) == (dead, parked)

        broken.mend()
        mended = time.monotonic()
        until(lambda: not is_braked(), "it closes by itself")
        assert time.monotonic() - mended < PROBE_SECONDS[1] + 5
        if dead:
            assert run("eventbus", "requeue", "--all")[0] == 0
        until(lambda: len(house.seen()) == 2 * FAILING_KEYS, "everything handled")

    for number in range(FAILING_KEYS):
        assert house.seen(name=f"key {number}") == [number, FAILING_KEYS + number]
    assert InboxRow.objects.filter(group="house-a").count() == 2 * FAILING_KEYS
    assert (house.parked(), house.dead()) == ([], [])
    assert not ConsumerGroup.objects.filter(breaker_opened_at__isnull=False).exists()
