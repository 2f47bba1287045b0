"""Promise 5: a group that fails most of what it sees is stopped, not drained into dead letters."""

from collections.abc import Callable
from typing import Any

import pytest

from eventbus import RetryLater
from eventbus.failures.circuit_breaker import KEYS_MIN, PROBE_SECONDS, WINDOW_ATTEMPTS
from eventbus.models import ConsumerGroup, DeadLetter, ParkedKey
from tests.eventbus.bus_app import House, Noted

KEYS = [f"key {number:02}" for number in range(60)]
LONG = {"hours": 1}  # longer than any retry or probe waits
MENDED_SECONDS = 5  # the longest that a mended group may stand still, also after hours


class Broken:
    """A handler that fails for the events of which `fails` is true, until it is mended."""

    def __init__(self, fails: Callable[[Noted], bool] = lambda event: True, error: Exception | None = None) -> None:
        self.fails, self.error, self.failures = fails, error or ValueError("broken"), 0

    def __call__(self, event: Noted, **named: Any) -> None:
        if self.fails(event):
            self.failures += 1
            raise type(self.error)(*self.error.args)

    def mend(self) -> None:
        self.fails = lambda event: False


def group(name: str = "house-a") -> ConsumerGroup:
    return ConsumerGroup.objects.get(name=name)


def is_braked(name: str = "house-a") -> bool:
    return group(name).breaker_opened_at is not None


def say_once(house: House, *keys: str, number: int = 1) -> None:
    house.say(*((key, number) for key in keys))


@pytest.mark.django_db(transaction=True)
class Brakes:
    """Promise 5."""

    @pytest.mark.parametrize(
        "policy",
        [
            {},
            {"attempts": 1},
            {"attempts": 1, "on_dead": "skip"},
            {"batch": 1},
            {"on_unknown_outcome": "retry"},
            {"on_unknown_outcome": "never", "attempts": 1},
        ],
        ids=lambda policy: ",".join(f"{name}={value}" for name, value in policy.items()),
    )
    def test_a_handler_that_fails_for_everything_is_stopped_and_handles_all_once_it_is_mended(
        self, house: House, bus_clock, policy: dict[str, Any]
    ) -> None:
        broken, done = Broken(), []

        def call(event: Noted, **named: Any) -> None:
            broken(event)
            done.append((event.name, event.number))

        declare = house.effect if "on_unknown_outcome" in policy else house.handler
        declare(call=call, **policy)
        say_once(house, *KEYS, number=1)
        say_once(house, *KEYS, number=2)
        for _ in range(5):
            house.settle()
            bus_clock.advance(**LONG)
        assert is_braked()
        assert WINDOW_ATTEMPTS / 2 < broken.failures < WINDOW_ATTEMPTS
        assert len(house.dead()) <= WINDOW_ATTEMPTS

        broken.mend()
        house.settle()
        assert not is_braked()
        DeadLetter.objects.update(request="requeue")
        house.settle()

        assert sorted(done) == sorted((key, number) for key in KEYS for number in (1, 2))
        if policy.get("on_dead") != "skip":
            assert all(done.index((key, 1)) < done.index((key, 2)) for key in KEYS)
        assert (house.parked(), house.dead()) == ([], [])

    def test_while_it_is_closed_nothing_moves_and_no_attempt_is_counted(self, house: House, bus_clock) -> None:
        house.handler(call=Broken(), attempts=3)
        say_once(house, *KEYS)
        house.settle()
        before = house.offset(), sorted(ParkedKey.objects.values_list("key", "attempts", "state"))

        for _ in range(12):  # longer than three attempts take
            bus_clock.advance(**LONG)
            say_once(house, "late")
            house.settle()
            house.restart()

        assert is_braked()
        assert (house.offset(), sorted(ParkedKey.objects.values_list("key", "attempts", "state"))) == before
        assert house.dead() == []
        assert not ParkedKey.objects.filter(running=True).exists()

    def test_probes_come_one_by_one_and_never_in_a_rush(self, house: House, bus_clock) -> None:
        broken = Broken()
        house.handler(call=broken)
        say_once(house, *KEYS)
        house.settle()
        first = broken.failures

        for _ in range(3):
            house.settle()  # no time has passed
        assert broken.failures == first
        for probes in range(1, 6):
            bus_clock.advance(seconds=PROBE_SECONDS[1])
            house.settle()
            assert broken.failures == first + probes

    def test_it_opens_within_seconds_after_it_was_mended(self, house: House, bus_clock) -> None:
        broken = Broken()
        house.handler(call=broken)
        say_once(house, *KEYS)
        for _ in range(20):
            bus_clock.advance(**LONG)
            house.settle()
        assert is_braked()
        broken.mend()

        bus_clock.advance(seconds=MENDED_SECONDS)
        house.settle()

        assert not is_braked()
        bus_clock.advance(**LONG)
        house.settle()
        assert sorted(house.seen()) == [(key, 1) for key in KEYS]

    def test_a_new_release_is_probed_at_once(self, house: House, bus_clock) -> None:
        broken = Broken()
        house.handler(call=broken)
        say_once(house, *KEYS)
        house.settle()
        broken.mend()

        house.restart()
        house.settle()

        assert not is_braked()

    def test_its_reason_names_how_many_failed_and_the_last_error(self, house: House) -> None:
        house.handler(call=Broken(error=ValueError("no\0such thing")))
        say_once(house, *KEYS)
        house.settle()

        assert "26 of the last 26 first attempts failed, over 26 keys" in group().breaker_reason
        assert "ValueError: no\\0such thing" in group().breaker_reason

    def test_an_open_circuit_breaker_stays_open_through_a_restart(self, house: House, bus_clock) -> None:
        house.handler(call=Broken())
        say_once(house, *KEYS)
        house.settle()
        since, offset = group().breaker_opened_at, house.offset()

        bus_clock.advance(**LONG)
        house.restart()
        house.settle()

        assert (group().breaker_opened_at, house.offset()) == (since, offset)

    def test_what_happened_before_it_opened_is_forgotten(self, house: House, bus_clock) -> None:
        broken = Broken()
        house.handler(call=broken)
        say_once(house, *KEYS[:30])
        house.settle()
        assert is_braked()
        oldest = ParkedKey.objects.order_by("id")[0].key
        broken.fails = lambda event: event.name != oldest

        bus_clock.advance(seconds=PROBE_SECONDS[0])
        house.settle()

        assert house.seen() == [(oldest, 1)]
        assert len(house.parked()) == 29  # the four that came after it opened have failed, too
        assert not is_braked()

    def test_a_few_bad_keys_park_and_stop_nobody(self, house: House) -> None:
        bad = KEYS[: KEYS_MIN - 1]
        house.handler(call=Broken(lambda event: event.name in bad), attempts=1, on_dead="skip")
        for number in range(8):
            say_once(house, *bad, number=number)
        house.settle()

        assert len(house.dead()) == 8 * len(bad) > WINDOW_ATTEMPTS
        assert not is_braked()

    def test_one_poison_key_never_closes_it(self, house: House) -> None:
        house.handler(call=Broken(lambda event: event.name == "vase"), attempts=1, on_dead="skip")
        for number in range(WINDOW_ATTEMPTS):
            house.say(("vase", number), ("vase", 1000 + number), (KEYS[number], number))
        house.settle()

        assert len(house.dead()) == 2 * WINDOW_ATTEMPTS
        assert not is_braked()

    def test_half_is_not_most(self, house: House) -> None:
        house.handler(call=Broken(lambda event: event.number % 2 == 0))
        for number, key in enumerate(KEYS):
            house.say((key, number))
            house.settle()

        assert len(house.parked()) == len(KEYS) / 2
        assert not is_braked()

    def test_more_than_half_is_most(self, house: House) -> None:
        house.handler(call=Broken(lambda event: event.number % 5 < 3))
        for number, key in enumerate(KEYS):
            house.say((key, number))
            house.settle()

        assert is_braked()
        assert len(house.parked()) < WINDOW_ATTEMPTS

    def test_retries_are_no_first_attempts(self, house: House, bus_clock) -> None:
        broken = Broken()
        house.handler(call=broken, attempts=20, batch=1)  # each is called once a round: no batch is tried before
        say_once(house, *KEYS[:20])
        for _ in range(5):
            house.settle()
            bus_clock.advance(**LONG)

        assert broken.failures == 100
        assert not is_braked()

    def test_one_stopped_group_does_not_stop_another(self, house: House) -> None:
        house.handler("house-a", Broken())
        house.handler("house-b")
        say_once(house, *KEYS)
        house.settle()

        assert (is_braked("house-a"), is_braked("house-b")) == (True, False)
        assert len(house.seen("house-b")) == len(KEYS)


@pytest.mark.django_db(transaction=True)
class TooEarlyIsNoFailure:
    """Promise 5: a group that waits for another topic must be able to hear it."""

    def test_events_that_came_too_early_do_not_close_it(self, house: House, bus_clock) -> None:
        early = Broken(error=RetryLater("the other topic is behind"))
        house.handler(call=early)
        say_once(house, *KEYS)
        house.settle()
        assert not is_braked()

        early.mend()
        bus_clock.advance(**LONG)
        house.settle()

        assert len(house.seen()) == len(KEYS)

    def test_events_that_died_of_being_too_early_do(self, house: House, bus_clock) -> None:
        house.handler(call=Broken(error=RetryLater("the other topic never comes")), attempts=3)
        say_once(house, *KEYS)
        for _ in range(6):
            house.settle()
            bus_clock.advance(**LONG)

        assert is_braked()
        assert len(house.dead()) <= WINDOW_ATTEMPTS
