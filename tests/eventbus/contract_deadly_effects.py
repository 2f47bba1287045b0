"""Promise 2 where the process dies again and again in one event: it is set aside, and what is in doubt is called so."""

from uuid import UUID

import pytest

from eventbus.failures.effects import CRASHES_MAX
from eventbus.models import ParkedKey, Progress
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Noted


@pytest.mark.django_db(transaction=True)
class EffectsThatKill:
    """Promise 2."""

    def test_an_effect_that_kills_the_process_three_times_is_set_aside(self, house: House) -> None:
        asked: list[int] = []

        def kill(event: Noted, **named: str) -> None:
            asked.append(event.number)
            raise Crash

        house.effect("post", kill, record=house.recording("post"), on_unknown_outcome="retry")
        house.say(("vase", 1))

        house.settle()

        assert len(asked) == CRASHES_MAX
        assert [letter.error_class for letter in house.dead("post")] == ["CrashedRepeatedly"]

    @pytest.mark.parametrize("parked", [False, True], ids=["at its first try", "while its key was parked"])
    def test_however_often_the_process_died_a_doubt_is_called_one(self, house: House, bus_clock, parked: bool) -> None:
        deaths: list[type[BaseException]] = [Crash, ValueError] if parked else [Crash]
        sent: list[int] = []

        def send(event: Noted, **named: str) -> None:
            if deaths[-1] is Crash:
                sent.append(event.number)
            raise deaths.pop()

        house.effect("post", send, record=house.recording("post"), on_unknown_outcome="never")
        [event_id] = house.say(("vase", 1))
        house.relay()
        if parked:
            house.settle()
            ParkedKey.objects.filter(group="post").update(crashes=CRASHES_MAX - 1)
            bus_clock.advance(hours=1)
        else:
            self._died_before(event_id, CRASHES_MAX - 2)

        house.settle()

        assert sent == [1]
        assert [letter.error_class for letter in house.dead("post")] == ["OutcomeUnknown"]

    @pytest.mark.parametrize("on_unknown_outcome", ["retry", "never"])
    def test_nobody_is_asked_for_an_event_in_which_the_process_died_too_often(
        self, house: House, on_unknown_outcome: str
    ) -> None:
        asked = house.asking("post", on_unknown_outcome=on_unknown_outcome)
        [event_id] = house.say(("vase", 1))
        house.relay()
        self._died_before(event_id, CRASHES_MAX - 1)

        house.settle()

        assert asked == []
        assert [letter.error_class for letter in house.dead("post")] == ["CrashedRepeatedly"]

    def test_what_failed_before_the_process_died_too_often_is_no_doubt(self, house: House, bus_clock) -> None:
        def fail(event: Noted, **named: str) -> None:
            raise ValueError("the letterbox is full")

        house.effect("post", fail, record=house.recording("post"), on_unknown_outcome="never")
        house.say(("vase", 1))
        house.settle()
        ParkedKey.objects.filter(group="post").update(crashes=CRASHES_MAX)  # each before it was claimed again
        bus_clock.advance(hours=1)

        house.settle()

        assert [letter.error_class for letter in house.dead("post")] == ["CrashedRepeatedly"]

    def _died_before(self, event_id: UUID, times: int) -> None:
        """So often in this event, before it was claimed; an attempt that finds it begun counts one more."""
        Progress.objects.filter(group="post").update(running_event=event_id, crashes=times)
