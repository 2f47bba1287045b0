"""The bus under injected faults: nothing is lost, each is handled once, in order; and a bus that cheats is caught."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from eventbus import backends, testing
from eventbus.backends.base import Backend
from eventbus.backends.memory import MemoryBackend
from eventbus.failures import parking
from eventbus.processes.dispatcher import Dispatcher
from eventbus.progress import inbox
from eventbus.testing import Crash
from eventbus.testing.fault_injection import RATES, FaultInjectingBackend, inject_faults
from tests.eventbus.backend_contract import BackendContract
from tests.eventbus.bus_app import House, Noted, open_house
from tests.eventbus.contract.test_circuit_breaker import Brakes
from tests.eventbus.contract.test_dead_letters import DecidedInBulk
from tests.live_site import ROOT
from tests.waiting import until

pytestmark = pytest.mark.faults

SEEDS = range(20)
CONTRACT_SEEDS = (1,)  # another one doubles the longest of the suites; `live_through` has the many
COUNTING = {DecidedInBulk, *(theme for theme in BackendContract.__bases__ if theme.__module__ == Brakes.__module__)}
ROUGH_ROUNDS = 2  # settlings with mischief before all is let come to rest
NAMES, EVENTS_PER_NAME, EVENTS_AT_ONCE = [f"key{number}" for number in range(6)], 8, 5
GROUPS = ("house-a", "house-b")
PAST_ANY_BACKOFF = 10  # minutes
WORK_SECONDS_MIN = 1e-5  # each event takes longer


class BesiegedHouse(House):
    """The house with an faults before its backend. It strikes while the house settles, then lets it come to rest."""

    faults: FaultInjectingBackend

    def settle(self, *, raise_errors: bool = False) -> None:
        self.faults.resume()
        for _ in range(ROUGH_ROUNDS):
            testing.settle(raise_errors=raise_errors)
        self.faults.quiet()
        testing.settle(raise_errors=raise_errors)


@contextmanager
def besieged_house(seed: int, **rates: float) -> Iterator[BesiegedHouse]:
    with inject_faults(seed=seed, **rates) as faults, open_house(BesiegedHouse) as house:
        faults.quiet()  # what a test does by hand is left to it
        house.faults = faults
        yield house


def test_it_answers_for_the_backend_behind_it_whatever_that_is_asked() -> None:
    faults = FaultInjectingBackend(seed=1, backend=MemoryBackend(partitions=1))
    answers = {name for name in vars(Backend) if not name.startswith("_")}

    assert answers - {"end"} <= vars(FaultInjectingBackend).keys() | vars(faults).keys()  # `end` asks `ends`


class TestContractUnderAnAdversary(BackendContract):
    """Every promise of the bus, whatever the backend does short of breaking its own."""

    @pytest.fixture(params=CONTRACT_SEEDS)
    def house(self, transactional_db: None, request: pytest.FixtureRequest) -> Iterator[House]:
        # A death forgets what was said, and what a circuit breaker has seen: their cases count, and do without deaths.
        counts = any(request.function.__name__ in vars(theme) for theme in COUNTING)
        with besieged_house(request.param, **({"crash": 0.0} if counts else {})) as house:
            yield house


class Clumsy:
    """Handles, but stumbles over one event of each key at first: it fails twice, or dies."""

    def __init__(self, chance: random.Random) -> None:
        self._stumbles = {
            (name, chance.randrange(EVENTS_PER_NAME)): chance.choice([[ValueError, ValueError], [Crash], []])
            for name in NAMES
        }

    def __call__(self, event: Noted) -> None:
        ahead = self._stumbles.get((event.name, event.number))
        if ahead:
            raise ahead.pop()


def live_through(seed: int, clock: Any) -> tuple[list[Any], Counter[str]]:
    """A random day of two groups under injected faults: what each heard of each key, and what the faults did."""
    chance = random.Random(seed)
    with besieged_house(seed) as house:
        for group in GROUPS:
            house.handler(group, Clumsy(chance))
        notes = [(name, number) for number in range(EVENTS_PER_NAME) for name in NAMES]
        while notes:
            at_once = chance.randrange(EVENTS_AT_ONCE) + 1
            house.say(*notes[:at_once])
            notes = notes[at_once:]
            house.faults.resume()
            testing.settle(raise_errors=False)
        for _ in range(ROUGH_ROUNDS):
            clock.advance(minutes=PAST_ANY_BACKOFF)
            house.settle()
        return [house.seen(group, name) for group in GROUPS for name in NAMES], house.faults.did


ALL_IN_ORDER = [list(range(EVENTS_PER_NAME)) for _ in GROUPS for _ in NAMES]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.django_db(transaction=True)
def test_through_any_mischief_all_is_handled_once_and_in_order(seed: int, bus_clock: Any) -> None:
    heard, did = live_through(seed, bus_clock)

    assert heard == ALL_IN_ORDER
    assert did.total() > 0


@pytest.mark.django_db(transaction=True)
def test_it_does_all_that_it_can(bus_clock: Any) -> None:
    did = sum((live_through(seed, bus_clock)[1] for seed in SEEDS[:5]), Counter())

    assert set(did) == set(RATES)


@pytest.mark.django_db(transaction=True)
def test_one_seed_is_one_course_of_events_on_any_machine(bus_clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = live_through(3, bus_clock)
    monkeypatch.setattr("eventbus.consuming.batch.BATCH_SECONDS", {connection.vendor: WORK_SECONDS_MIN})
    monkeypatch.setattr("eventbus.consuming.due_work.PARKED_SECONDS", WORK_SECONDS_MIN)

    assert live_through(3, bus_clock) == here, "what a slow machine does depends on how long it takes"


@pytest.mark.django_db(transaction=True)
def test_without_an_inbox_something_is_handled_twice(bus_clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "known", lambda group, event_ids, **run: set())
    monkeypatch.setattr(inbox, "note", lambda group, event_ids, **run: None)

    assert any(live_through(seed, bus_clock)[0] != ALL_IN_ORDER for seed in SEEDS)


@pytest.mark.django_db(transaction=True)
def test_a_later_event_that_passes_a_parked_one_is_caught(bus_clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "parked_keys", lambda group, topic, keys: {})

    assert any(live_through(seed, bus_clock)[0] != ALL_IN_ORDER for seed in SEEDS)


@pytest.mark.django_db(transaction=True)
def test_quiet_is_quiet(bus_clock: Any) -> None:
    with inject_faults(seed=1, drop=1.0, crash=1.0) as faults, open_house() as house:
        faults.quiet()
        house.handler()
        house.say(("vase", 1))
        house.settle()

        assert house.seen(name="vase") == [1]
        assert faults.did.total() == 0


def test_it_can_be_named_in_the_settings() -> None:
    options = {"seed": 7, "backend": "eventbus.backends.memory.MemoryBackend", "options": {"partitions": 2}}

    with override_settings(
        EVENTBUS={"BACKEND": "eventbus.testing.fault_injection.FaultInjectingBackend", "OPTIONS": options}
    ):
        faults = backends.current()

    assert isinstance(faults, FaultInjectingBackend)
    assert isinstance(faults.inner, MemoryBackend)
    assert faults.in_process
    assert len(faults.partitions(["house"])) == 2


@pytest.mark.django_db(transaction=True)
def test_a_site_lives_with_it_as_its_settings_name_it(house: House) -> None:
    house.handler()
    options = {"seed": 7, "backend": "eventbus.backends.memory.MemoryBackend", "drop": 0.3}

    with override_settings(
        EVENTBUS={"BACKEND": "eventbus.testing.fault_injection.FaultInjectingBackend", "OPTIONS": options}
    ):
        faults = backends.current()
        dispatcher = Dispatcher.start_in_process()
        try:
            for number in range(1, 21):
                house.say(("vase", number))
            until(lambda: len(house.seen()) >= 20, "all of it handled")
        finally:
            faults.quiet()
            dispatcher.close()

    assert house.seen(name="vase") == list(range(1, 21))
    assert faults.did["drop"] > 0


def test_a_site_that_is_to_crash_is_refused() -> None:
    with pytest.raises(ValueError, match="kill its processes"):
        FaultInjectingBackend(seed=1, backend="eventbus.backends.memory.MemoryBackend", crash=0.1)


def test_a_site_lives_with_it_without_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import django; django.setup()\n"
        "import eventbus.testing.fault_injection, eventbus.testing"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "mcommerce.settings"}

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)


def test_a_deed_that_it_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError, match="lose"):
        FaultInjectingBackend(seed=1, backend=MemoryBackend(), lose=0.1)
