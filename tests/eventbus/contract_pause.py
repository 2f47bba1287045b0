"""An operator lets a group stand still."""

import pytest

from eventbus import Permanent
from eventbus.failures import circuit_breaker
from eventbus.failures.circuit_breaker import WINDOW_ATTEMPTS
from eventbus.models import DeadLetter
from eventbus.operations import pausing
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.contract_batches import died_in_a_batch
from tests.eventbus.contract_circuit_breaker import KEYS, LONG, Broken, group, is_braked, say_once

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

    def test_resuming_a_brake_that_another_process_closed_lets_it_judge_anew(self, house: House) -> None:
        house.handler(call=Broken(error=Permanent("broken")))
        say_once(house, *KEYS[: OPENING - 1])
        house.settle()
        circuit_breaker.trip("house-a", "another has seen enough")
        house.settle()

        pausing.resume(group(), "Ada")
        say_once(house, "late")
        house.settle()

        assert len(house.dead()) == OPENING
        assert not is_braked()
