"""A group that fails most of what it sees is stopped; and one that an operator pauses."""

from collections.abc import Callable
from typing import Any

import pytest

from eventbus import Permanent, RetryLater
from eventbus.failures import circuit_breaker
from eventbus.failures.circuit_breaker import KEYS_MIN, PROBE_SECONDS, WINDOW_ATTEMPTS
from eventbus.failures.effects import CRASHES_MAX
from eventbus.models import ConsumerGroup, DeadLetter, Effect, ParkedKey, Progress
from eventbus.operations import pausing
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.contract.test_outages import died_in_a_batch

# Promise 5: a group that fails most of what it sees is stopped, not drained into dead letters.

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


# Promise 5: what is tried while a circuit breaker is open, and how many keys may wait.

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


# An operator lets a group stand still.

OPENING = WINDOW_ATTEMPTS // 2 + 1  # so many failures open a circuit breaker, if there is nothing else


@pytest.mark.django_db(transaction=True)
class StandsStillWhilePaused:
    """An operator's pause."""

    def test_nothing_moves_until_it_is_resumed(self, house: House, bus_clock) -> None:
        broken = Broken(lambda event: event.name in ("vase", "cup"))
        house.handler(call=broken, attempts=1)
        house.handler("house-b")
        say_once(house, "vase", "cup", "chair")
        house.settle()
        pausing.pause(group(), "Ada")
        broken.mend()
        DeadLetter.objects.filter(key="vase").update(request="requeue")
        DeadLetter.objects.filter(key="cup").update(request="discard")
        offset = house.offset()

        say_once(house, "vase", "lamp", number=2)
        for _ in range(3):
            house.settle()
            bus_clock.advance(**LONG)
            house.restart()
        assert (house.offset(), house.parked(), len(house.dead())) == (offset, ["cup", "vase"], 2)
        assert house.seen() == [("chair", 1)]
        assert ("lamp", 2) in house.seen("house-b")

        pausing.resume(group(), "Ada")
        house.settle()
        assert house.seen(name="vase") == [1, 2]
        assert house.seen(name="lamp") == [2]
        assert house.parked() == []

    def test_no_retry_runs(self, house: House, bus_clock) -> None:
        broken = Broken()
        house.handler(call=broken)
        say_once(house, "vase")
        house.settle()
        pausing.pause(group(), "Ada")

        for _ in range(3):
            bus_clock.advance(**LONG)
            house.settle()

        assert broken.failures == 1

    def test_a_group_with_an_open_circuit_breaker_that_is_paused_is_not_probed(self, house: House, bus_clock) -> None:
        broken = Broken()
        house.handler(call=broken)
        say_once(house, *KEYS)
        house.settle()
        failures = broken.failures
        pausing.pause(group(), "Ada")

        bus_clock.advance(**LONG)
        house.settle()
        house.restart()
        house.settle()

        assert broken.failures == failures

    def test_a_pause_in_the_middle_lets_what_is_in_hand_finish_and_no_more(self, house: House) -> None:
        def pause(event: Noted) -> None:
            if event.number == 3:
                pausing.pause(group(), "Ada")

        house.handler(call=pause)
        house.say(*(("vase", number) for number in range(6)))
        died_in_a_batch(house)  # then they are handled one by one
        house.settle()

        assert house.seen(name="vase") == [0, 1, 2, 3]
        assert house.offset() == 4

    def test_resuming_closes_a_circuit_breaker_which_then_judges_anew(self, house: House, bus_clock) -> None:
        broken = Broken()
        house.handler(call=broken, attempts=1)
        say_once(house, *KEYS[:30])
        house.settle()
        assert is_braked()

        pausing.resume(group(), "Ada")
        house.settle()

        assert len(house.dead()) == 30
        assert not is_braked()

    def test_resuming_a_brake_that_was_closed_by_the_last_event_lets_it_judge_anew(self, house: House) -> None:
        house.handler(call=Broken(error=Permanent("broken")))
        say_once(house, *KEYS[:OPENING])
        house.settle()
        assert is_braked()

        pausing.resume(group(), "Ada")
        say_once(house, "late")
        house.settle()

        assert len(house.dead()) == OPENING + 1
        assert not is_braked()
