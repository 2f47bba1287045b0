"""What operators dread: one poison event among a thousand."""

from collections.abc import Iterator

import pytest

from eventbus import Permanent, backends
from eventbus.backends.memory import MemoryBackend
from tests.eventbus.bus_app import House, open_house
from tests.eventbus.contract.test_circuit_breaker import Broken, is_braked
from tests.eventbus.test_commands import run

EVENTS = 1_000
KEYS = 50
AT_ONCE = 500
POISON = 432
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


def test_one_poison_event_among_a_thousand_on_one_partition_holds_up_its_key_alone(one_partition: House) -> None:
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
