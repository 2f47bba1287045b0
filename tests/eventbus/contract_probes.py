"""Promise 5: what is tried while a circuit breaker is open, and how many keys may wait."""

import pytest

from eventbus import Permanent
from eventbus.failures import circuit_breaker
from eventbus.failures.effects import CRASHES_MAX
from eventbus.models import DeadLetter, Effect, ParkedKey, Progress
from eventbus.operations import pausing
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.contract_circuit_breaker import KEYS, LONG, Broken, group, is_braked, say_once

NEIGHBOUR = "shelf"  # a key in the vase's partition


class Answering:
    """Whom an effect asks: it does with each question for the vase what is next, and then answers like any other."""

    def __init__(self, *does: type[BaseException]) -> None:
        self.does, self.asked = list(does), []

    def __call__(self, event: Noted, **named: str) -> None:
        if event.name == "vase":
            self.asked.append(event.number)
            if self.does:
                raise self.does.pop(0)


def say_to_a_braked_group(house: House, note: tuple[str, int], *, parked: bool) -> None:
    """It lies in the log of a group whose circuit breaker is open, or has failed before and is parked."""
    if parked:
        house.say(note)
        house.settle()
    circuit_breaker.trip("house-a", "most of it fails")
    if not parked:
        house.say(note)


@pytest.mark.django_db(transaction=True)
class Probes:
    """Promise 5: what is tried while the circuit breaker is open."""

    def test_a_poison_event_at_the_front_does_not_keep_it_open(self, house: House, bus_clock) -> None:
        broken = Broken()
        house.handler(call=broken)
        say_once(house, *KEYS)
        house.settle()
        oldest = ParkedKey.objects.order_by("id")[0].key
        broken.fails = lambda event: event.name == oldest

        for _ in range(3):
            bus_clock.advance(**LONG)
            house.settle()

        assert not is_braked()
        assert len(house.seen()) == len(KEYS) - 1
        assert house.parked() == [oldest]

    def test_where_all_parked_keys_are_dead_the_next_event_of_the_log_is_tried(self, house: House, bus_clock) -> None:
        broken = Broken(error=Permanent("broken"))
        house.handler(call=broken)
        say_once(house, *KEYS)
        house.settle()
        dead = {letter.key for letter in house.dead()}
        failures = broken.failures
        bus_clock.advance(**LONG)
        house.settle()
        assert broken.failures == failures + 1
        assert len(house.dead()) == len(dead)
        assert not Progress.objects.filter(running_event__isnull=False).exists()

        broken.mend()
        bus_clock.advance(**LONG)
        house.settle()

        assert not is_braked()
        assert {key for key, _ in house.seen()} == set(KEYS) - dead

    def test_a_probe_of_the_log_lets_the_events_of_dead_keys_wait(self, house: House, bus_clock) -> None:
        broken = Broken(error=Permanent("broken"))
        house.handler(call=broken)
        say_once(house, *KEYS[:26])
        house.settle()
        assert is_braked()
        say_once(house, *KEYS[:26], number=2)
        say_once(house, *KEYS[26:], number=2)
        broken.mend()

        bus_clock.advance(**LONG)
        house.settle()

        assert not is_braked()
        assert sorted(house.seen()) == [(key, 2) for key in KEYS[26:]]
        DeadLetter.objects.update(request="requeue")
        house.settle()
        assert all(house.seen(name=key) == [1, 2] for key in KEYS[:26])

    def test_a_probe_that_fails_slowly_is_not_followed_by_the_next_at_once(self, house: House, bus_clock) -> None:
        broken = Broken()
        house.handler(call=broken)
        say_once(house, *KEYS)
        house.settle()
        assert is_braked()

        def slowly(_event: Noted) -> bool:
            bus_clock.advance(seconds=circuit_breaker.PROBE_SECONDS[1] + 1)
            return True

        broken.fails = slowly
        bus_clock.advance(**LONG)
        house.settle()
        failures = broken.failures

        house.settle()

        assert broken.failures == failures

    def test_an_operators_requeue_is_a_probe_too(self, house: House, bus_clock) -> None:
        broken = Broken(error=Permanent("broken"))
        house.handler(call=broken)
        say_once(house, *KEYS[:26])
        house.settle()
        assert is_braked()
        broken.mend()

        DeadLetter.objects.filter(key=KEYS[0]).update(request="requeue")
        bus_clock.advance(**LONG)
        house.restart()  # whoever comes now finds the circuit breaker open
        house.settle()

        assert not is_braked()
        assert house.seen() == [(KEYS[0], 1)]

    @pytest.mark.parametrize("attempts", [1, 8])
    def test_an_effects_failed_probe_leaves_nothing_in_doubt(self, house: House, bus_clock, attempts: int) -> None:
        house.effect(call=Broken(), record=lambda event, answer: None, on_unknown_outcome="never", attempts=attempts)
        say_once(house, *KEYS)
        for _ in range(4):
            house.settle()
            bus_clock.advance(**LONG)
            house.restart()

        assert is_braked()
        assert not Effect.objects.exclude(state=Effect.State.FAILED).exists()
        assert {letter.error_class for letter in house.dead()} <= {"ValueError"}

    def test_a_probe_that_killed_the_process_too_often_is_not_tried_again(self, house: House, bus_clock) -> None:
        broken = Broken(error=Permanent("broken"))
        house.handler(call=broken)
        say_once(house, *KEYS[:26])
        house.settle()
        assert is_braked()
        [deadly] = house.say(("deadly", 1))
        house.relay()
        Progress.objects.filter(group="house-a").update(running_event=deadly, crashes=CRASHES_MAX - 1)
        broken.mend()
        bus_clock.advance(**LONG)
        house.restart()

        for _ in range(2):
            house.settle()
            bus_clock.advance(**LONG)

        assert is_braked()
        assert house.seen() == []
        assert not DeadLetter.objects.filter(key="deadly").exists()

    @pytest.mark.parametrize("parked", [False, True], ids=["an event", "a parked event"])
    def test_what_a_probe_left_in_doubt_is_not_asked_again_and_keeps_no_brake_closed(
        self, house: House, bus_clock, parked: bool
    ) -> None:
        post = Answering(*[ValueError] * parked, Crash)
        house.effect(call=post, record=house.recording("house-a"), on_unknown_outcome="never")
        say_to_a_braked_group(house, ("vase", 1), parked=parked)
        house.say((NEIGHBOUR, 1))

        for _ in range(4):
            bus_clock.advance(**LONG)
            house.settle()

        assert len(post.asked) == 1 + parked
        assert not is_braked()
        assert house.seen() == [(NEIGHBOUR, 1)]
        assert [(letter.key, letter.error_class) for letter in house.dead()] == [("vase", "OutcomeUnknown")]

    def test_an_event_in_doubt_that_is_set_aside_takes_nothing_with_it(self, house: House, bus_clock) -> None:
        post, broken = Answering(Crash), Broken(lambda event: event.name == NEIGHBOUR, Permanent("broken"))

        def send(event: Noted, **named: str) -> None:
            broken(event)
            post(event)

        house.effect(call=send, record=house.recording("house-a"), on_unknown_outcome="never")
        say_to_a_braked_group(house, (NEIGHBOUR, 1), parked=True)
        house.say((NEIGHBOUR, 2), ("vase", 1))
        for _ in range(2):
            bus_clock.advance(**LONG)
            house.settle()
        assert [letter.key for letter in house.dead()] == [NEIGHBOUR, "vase"]

        broken.mend()
        DeadLetter.objects.filter(key=NEIGHBOUR).update(request="requeue")
        bus_clock.advance(**LONG)
        house.settle()

        assert house.seen(name=NEIGHBOUR) == [1, 2]
        assert post.asked == [1]

    @pytest.mark.parametrize("parked", [False, True], ids=["an event", "a parked event"])
    def test_an_effect_that_kills_the_process_is_probed_no_more_often_than_an_event_may_crash(
        self, house: House, bus_clock, parked: bool
    ) -> None:
        post = Answering(*[Crash, Crash, ValueError] * parked, *[Crash] * 9)
        house.effect(call=post, record=house.recording("house-a"), on_unknown_outcome="retry")
        say_to_a_braked_group(house, ("vase", 1), parked=parked)

        for _ in range(4):
            bus_clock.advance(**LONG)
            house.settle()

        assert len(post.asked) == CRASHES_MAX + parked


@pytest.mark.django_db(transaction=True)
class NoMoreKeysThanOneCanLookAfter:
    """Promise 5: parked keys are counted."""

    @pytest.fixture
    def five_at_most(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("eventbus.failures.parking.PARKED_KEYS_MAX", 5)

    def test_it_closes_when_too_many_keys_are_parked(self, house: House, bus_clock, five_at_most) -> None:
        house.handler(call=Broken(lambda event: event.number % 4 == 0, Permanent("broken")))
        for number, key in enumerate(KEYS):
            house.say((key, number))
            house.settle()

        assert is_braked()
        assert "5 keys are parked" in group().breaker_reason
        assert len(house.parked()) == 5
        assert len(house.seen()) < 20

    def test_no_more_are_parked_whatever_opens_it(self, house: House, bus_clock, five_at_most) -> None:
        house.handler(call=Broken(lambda event: event.number % 4 == 0, Permanent("broken")))
        house.say(*((key, number) for number, key in enumerate(KEYS)))
        for _ in range(60):
            house.settle()
            bus_clock.advance(**LONG)

        assert is_braked()
        assert len(house.parked()) == len(house.dead()) == 5
        assert not Progress.objects.filter(running_event__isnull=False).exists()

    def test_an_operator_who_decides_about_them_lets_it_go_on(self, house: House, bus_clock, five_at_most) -> None:
        broken = Broken(lambda event: event.number % 4 == 0, Permanent("broken"))
        house.handler(call=broken)
        house.say(*((key, number) for number, key in enumerate(KEYS)))
        house.settle()
        assert is_braked()

        broken.mend()
        DeadLetter.objects.update(request="requeue")
        bus_clock.advance(**LONG)
        house.settle()

        assert not is_braked()
        assert len(house.seen()) == 60

    def test_an_effect_in_doubt_for_which_there_is_no_room_is_not_asked_again(
        self, house: House, bus_clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("eventbus.failures.parking.PARKED_KEYS_MAX", 1)
        post, broken = Answering(Crash), Broken(lambda event: event.name == "chair", Permanent("broken"))

        def send(event: Noted, **named: str) -> None:
            broken(event)
            post(event)

        house.effect(call=send, record=house.recording("house-a"), on_unknown_outcome="never")
        house.say(("chair", 1))
        house.settle()
        assert is_braked()
        house.say(("vase", 1))
        pausing.resume(group(), "an operator")

        for _ in range(3):
            house.settle()
            bus_clock.advance(**LONG)
        assert post.asked == [1]
        assert [letter.key for letter in house.dead()] == ["chair"]

        DeadLetter.objects.update(request="discard")
        house.settle()

        assert post.asked == [1]
        assert [letter.key for letter in house.dead() if letter.state == DeadLetter.State.OPEN] == ["vase"]
