"""What leaves the database is asked once, also where processes die of it."""

from uuid import UUID

import pytest
from django.db import connection

from eventbus import ServiceUnavailable, publish, testing
from eventbus.failpoints import armed
from eventbus.failures.effects import CRASHES_MAX
from eventbus.models import Effect, OutboxRow, ParkedKey, Progress
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Mended, Noted, Sown
from tests.eventbus.database_obstacles import contention_at
from tests.waiting import until

# Promise 2, for what leaves the database: asked outside any transaction, its answer recorded with the inbox row.


@pytest.mark.django_db(transaction=True)
class EffectsAskedOnce:
    """Promise 2."""

    def test_an_effect_happens_once_and_its_answer_is_recorded(self, house: House) -> None:
        sent, answers = [], []

        def send(event: Noted, *, idempotency_key: str) -> str:
            assert not connection.in_atomic_block
            sent.append(idempotency_key)
            return f"sent {event.number}"

        house.effect("post", send, record=lambda event, answer: answers.append(answer), on_unknown_outcome="retry")
        [event_id] = house.say(("vase", 1))
        house.settle()
        house.rewind("post")
        house.settle()

        assert sent == [f"post:{event_id}"]
        assert answers == ["sent 1"]
        assert Effect.objects.get(group="post").state == Effect.State.DONE

    def test_an_effect_with_no_answer_to_record_happens_once(self, house: House) -> None:
        sent = []
        house.effect("post", lambda event, **named: sent.append(event.number), on_unknown_outcome="never")
        house.say(("vase", 1))
        house.settle()
        house.rewind("post")
        house.settle()

        assert sent == [1]
        assert house.dead("post") == []
        assert Effect.objects.get(group="post").state == Effect.State.DONE

    @pytest.mark.parametrize("on_unknown_outcome", ["retry", "never"])
    @pytest.mark.parametrize("failures", [1, 2])
    def test_an_effect_whose_answer_could_not_be_recorded_is_not_asked_again(
        self, house: House, bus_clock, on_unknown_outcome: str, failures: int
    ) -> None:
        sent, recorded = [], []

        def record(event: Noted, answer: None) -> None:
            recorded.append(event.number)
            if len(recorded) <= failures:
                raise ValueError("the answer does not fit")

        def send(event: Noted, *, idempotency_key: str) -> None:
            sent.append(event.number)

        house.effect("post", send, record=record, on_unknown_outcome=on_unknown_outcome)
        house.say(("vase", 1))
        for _attempt in range(failures + 1):
            testing.settle(raise_errors=False)  # no faults: an answer in hand dies with its process
            bus_clock.advance(hours=1)

        assert (sent, len(recorded)) == ([1], failures + 1)
        assert (house.parked("post"), house.dead("post")) == ([], [])

    def test_an_answer_that_could_not_be_recorded_and_dies_with_its_process_is_in_doubt(
        self, house: House, bus_clock
    ) -> None:
        sent: list[int] = []

        def record(event: Noted, answer: None) -> None:
            raise ValueError("the answer does not fit")

        def send(event: Noted, **named: str) -> None:
            sent.append(event.number)

        house.effect("post", send, record=record, on_unknown_outcome="never")
        house.say(("vase", 1))
        house.settle()
        house.restart()
        bus_clock.advance(hours=1)
        house.settle()

        assert sent == [1]
        assert [letter.error_class for letter in house.dead("post")] == ["OutcomeUnknown"]

    def test_an_effect_in_doubt_is_asked_again_with_the_same_key_or_never(self, house: House) -> None:
        keys: dict[str, list[str]] = {"retry": [], "never": []}

        def die(how: str):
            def send(event: Noted, *, idempotency_key: str) -> None:
                keys[how].append(idempotency_key)
                if len(keys[how]) == 1:
                    raise Crash

            return send

        for how in keys:
            house.effect(how, die(how), record=lambda event, answer: None, on_unknown_outcome=how)
        house.say(("vase", 1))
        house.settle()

        assert len(keys["retry"]) == 2
        assert len(set(keys["retry"])) == 1
        assert len(keys["never"]) == 1
        assert [letter.error_class for letter in house.dead("never")] == ["OutcomeUnknown"]
        assert house.dead("retry") == []

    def test_an_effect_that_failed_is_no_doubt(self, house: House, bus_clock) -> None:
        sent: list[str] = []

        def send(event: Noted, *, idempotency_key: str) -> None:
            assert not connection.in_atomic_block
            sent.append(idempotency_key)
            if len(sent) == 1:
                raise ValueError("the provider is closed")

        house.effect("post", send, record=house.recording("post"), on_unknown_outcome="never")
        house.say(("vase", 1))
        house.settle()
        assert house.parked("post") == ["vase"]

        bus_clock.advance(hours=1)
        house.settle()

        assert (len(sent), len(set(sent))) == (2, 1)
        assert (house.seen("post"), house.dead("post")) == ([("vase", 1)], [])

    def test_a_service_that_is_away_costs_an_effect_no_attempt(self, house: House, bus_clock) -> None:
        post, sent = Mended("vase", error=ServiceUnavailable("nobody opens")), []

        def send(event: Noted, *, idempotency_key: str) -> None:
            post(event)
            sent.append(event.number)

        house.effect("post", send, record=house.recording("post"), on_unknown_outcome="never", attempts=2)
        house.say(("vase", 1))
        for _attempt in range(4):
            house.settle()
            bus_clock.advance(minutes=1)
        assert (house.parked("post"), house.dead("post")) == (["vase"], [])
        assert ParkedKey.objects.get(group="post").attempts == 0

        post.names.clear()
        house.settle()

        assert (sent, house.seen("post"), house.dead("post")) == ([1], [("vase", 1)], [])

    def test_an_effect_that_failed_is_no_doubt_though_that_could_not_be_written_down_at_first(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("eventbus.consuming.worker.OUTAGE_PAUSE_SECONDS", (0.01, 0.02))
        sent: list[int] = []

        def send(event: Noted, **named: str) -> None:
            sent.append(event.number)
            if len(sent) == 1:
                raise ValueError("the provider is closed")

        house.effect("post", send, record=house.recording("post"), on_unknown_outcome="never")
        house.say(("vase", 1))
        house.relay()

        with armed("handle.park.commit=break") as plan, house.working("post"):
            until(lambda: house.seen("post") or house.dead("post"), "the answer recorded")

        assert plan.fired("handle.park.commit")
        assert (sent, house.seen("post"), house.dead("post")) == ([1, 1], [("vase", 1)], [])

    def test_an_answer_is_recorded_with_what_is_told_of_it_or_not_at_all(self, house: House, bus_clock) -> None:
        broken = Mended("vase")

        def record(event: Noted, answer: None) -> None:
            house.write("post", event)
            publish(Sown(name="echo", number=event.number))
            broken(event)

        house.effect("post", lambda event, **named: None, record=record, on_unknown_outcome="retry")
        house.say(("vase", 1))
        house.settle()
        assert house.seen("post") == []

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen("post") == [("vase", 1)]
        assert OutboxRow.objects.filter(key="echo").count() == 1

    def test_an_effect_whose_key_waits_is_not_asked(self, house: House, bus_clock) -> None:
        broken, asked = Mended("vase"), []

        def send(event: Noted, **named: str) -> None:
            asked.append(event.number)
            broken(event)

        house.effect("post", send, record=house.recording("post"), on_unknown_outcome="retry")
        house.say(("vase", 1))
        house.settle()
        house.say(("vase", 2))
        house.settle()
        assert asked == [1]

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert asked == [1, 1, 2]
        assert house.seen("post", "vase") == [1, 2]

    def test_an_answer_whose_recording_meets_another_writer_is_not_asked_for_again(self, house: House) -> None:
        asked = house.asking("post", on_unknown_outcome="never")
        house.say(("vase", 1))

        with contention_at("INSERT INTO house_seen"):
            house.settle(raise_errors=True)

        assert (asked, house.seen("post")) == ([1], [("vase", 1)])

    @pytest.mark.parametrize(
        "breaks",
        [
            ["effect.claim.commit=break"],
            ["effect.claim.committed=break"],
            ["effect.claim.committed=break", "effect.claim.commit=break@2"],
        ],
        ids=["not committed", "committed", "committed, and broken again"],
    )
    def test_a_claim_whose_commit_nobody_answered_is_no_doubt(
        self, house: House, monkeypatch: pytest.MonkeyPatch, breaks: list[str]
    ) -> None:
        monkeypatch.setattr("eventbus.consuming.worker.OUTAGE_PAUSE_SECONDS", (0.01, 0.02))
        sent = house.asking("post", on_unknown_outcome="never")
        house.say(("vase", 1))
        house.relay()

        with armed(*breaks) as plan, house.working("post"):
            until(lambda: house.seen("post") or house.dead("post"), "the answer recorded")

        assert all(plan.fired(point.partition("=")[0]) for point in breaks)
        assert (sent, house.dead("post")) == ([1], [])


# Promise 2 where the process dies again and again in one event: it is set aside, and what is in doubt is called so.


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
