"""Everything that is not parked moves: a call has its time, and a group that stands is named."""

import pytest

from eventbus import clock
from eventbus.models import ConsumerGroup, Timer
from eventbus.operations import group_status, pausing, standstill, status
from eventbus.operations.standstill import STANDS_SECONDS, Standing
from eventbus.registry import HANDLER_SECONDS
from tests.eventbus.bus_app import House, Noted
from tests.waiting import until

OTHERS = [(f"chair {number}", 1) for number in range(5)]
LONG = HANDLER_SECONDS + 1


def take(seconds: float) -> None:
    """So long, by the bus's clock."""
    clock.advance(seconds=seconds)


@pytest.mark.django_db(transaction=True)
class NothingTakesForEver:
    """Promise 3: what is told is handled, and soon."""

    @pytest.fixture(autouse=True)
    def _hasty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker that waits long for nothing."""
        monkeypatch.setattr("eventbus.consuming.worker.OUTAGE_PAUSE_SECONDS", (0.01, 0.02))

    def test_an_event_whose_handler_takes_longer_than_it_says_is_set_aside(self, house: House, bus_clock) -> None:
        house.handler(call=lambda event: take(LONG) if event.name == "vase" else None, attempts=1)
        house.say(("vase", 1), *OTHERS)
        house.relay()

        with house.working():
            until(lambda: house.dead() and len(house.seen()) == len(OTHERS), "all others handled, and it set aside")

        assert sorted(house.seen()) == OTHERS  # what it wrote itself is rolled back
        assert [letter.error_class for letter in house.dead()] == ["HandlerTimeout"]

    def test_a_handler_may_take_as_long_as_it_says(self, house: House, bus_clock) -> None:
        house.handler(call=lambda event: take(LONG), seconds=LONG + 1, attempts=1)
        house.say(("vase", 1))

        house.settle(raise_errors=True)

        assert house.seen() == [("vase", 1)]

    def test_an_effect_that_took_long_is_recorded_all_the_same(self, house: House, bus_clock) -> None:
        asked: list[int] = []

        def ask(event: Noted, **named: str) -> None:
            asked.append(event.number)
            take(LONG)

        house.effect("post", ask, record=house.recording("post"), on_unknown_outcome="never", attempts=1)
        house.say(("vase", 1))

        house.settle(raise_errors=True)

        assert (asked, house.seen("post")) == ([1], [("vase", 1)])

    def test_a_group_that_does_not_move_is_named_with_how_long_it_has_stood(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()
        take(STANDS_SECONDS)
        assert self._standing() == []

        take(1)

        [found] = self._standing()
        assert (found.group, found.topic, found.seconds) == ("house-a", Noted.topic, STANDS_SECONDS + 1)
        house.settle()
        assert self._standing() == []

    def test_a_group_that_moves_is_not_named_however_long_what_comes_next_has_waited(
        self, house: House, bus_clock
    ) -> None:
        house.handler(batch=1)
        house.say(("vase", 1), ("vase", 2))
        house.relay()
        take(2 * STANDS_SECONDS)
        assert len(self._standing()) == 1

        house.step(house.worker())

        assert house.seen() == [("vase", 1)]
        assert self._standing() == []

    def test_a_new_group_that_begins_with_old_events_is_not_named_for_their_age(self, house: House, bus_clock) -> None:
        house.handler("house-b")
        house.say(("vase", 1))
        house.settle()
        take(2 * STANDS_SECONDS)

        house.handler("house-a", start="earliest")

        assert self._standing() == []

    def test_a_group_that_was_told_to_stand_is_not_named_for_it(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()
        pausing.pause(ConsumerGroup.objects.get(name="house-a"), "ada")

        take(2 * STANDS_SECONDS)

        assert self._standing() == []

    def test_who_may_take_longer_may_stand_for_longer(self, house: House, bus_clock) -> None:
        house.handler(seconds=10 * STANDS_SECONDS)
        house.say(("vase", 1))
        house.relay()

        take(19 * STANDS_SECONDS)
        assert self._standing() == []
        take(2 * STANDS_SECONDS)
        assert len(self._standing()) == 1

    def test_timers_that_nobody_publishes_are_told_of(self, house: House, bus_clock) -> None:
        due = {"event_id": "0" * 32, "topic": Noted.topic, "type": "t", "key": "k", "payload": b"", "headers": "{}"}
        Timer.objects.create(**due, due=clock.now())
        assert self._overdue() == []

        take(2 * STANDS_SECONDS)

        assert self._overdue() == ["Timers that are over 60 s late: 1. Nobody relays, or the relay cannot."]

    def _standing(self) -> list[Standing]:
        return standstill.standing(group_status.progress(), ConsumerGroup.objects.all())

    def _overdue(self) -> list[str]:
        return [str(one) for one in status.problems(status.status(), dispatches=True) if one.kind == "timers"]
