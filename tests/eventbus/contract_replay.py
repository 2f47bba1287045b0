"""Replaying a group's projections: past events come again, and nothing else changes."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from eventbus import Permanent, clock, publish, registry
from eventbus.models import InboxRow, OutboxRow, Progress, ReplayRun
from eventbus.repairs import replay_filter
from eventbus.repairs.replay import Replay, ReplayFailed
from eventbus.repairs.replay_filter import ReplayFilter, ReplayRefused
from tests.eventbus.bus_app import House, Mended, Noted, Unknown
from tests.eventbus.replay_steps import VASE, begun, replayed, wanted


@pytest.mark.django_db(transaction=True)
class ReplayChangesNothingElse:
    """A run has its own offset, and nothing of the live one moves."""

    def test_past_events_come_again_in_order_and_live_progress_stays(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(*((name, number) for number in range(10) for name in ("vase", "chair")))
        house.settle()
        before = list(Progress.objects.order_by("id").values())

        run = replayed()

        assert house.seen(name="vase") == house.seen(name="chair") == [*range(10), *range(10)]
        assert list(Progress.objects.order_by("id").values()) == before
        assert (run.state, run.matched, run.handled) == (ReplayRun.State.DONE, 20, 20)

    def test_what_is_pending_comes_live_and_only_so(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        house.say(("vase", 2))
        house.relay()

        run = replayed()
        assert house.seen(name="vase") == [1, 1]
        house.settle()

        assert house.seen(name="vase") == [1, 1, 2]
        assert run.matched == 1
        assert sum(Progress.objects.filter(group="house-a").values_list("handled", flat=True)) == 2

    def test_a_run_ends_where_the_group_was_when_it_began(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        run = begun()
        house.say(("vase", 2))
        house.settle()

        Replay(run, threading.Event()).go()

        assert house.seen(name="vase") == [1, 2, 1]

    def test_what_the_group_passes_while_a_run_begins_is_not_counted_for_it(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        house.say(("vase", 2))
        spans = ReplayFilter.spans
        monkeypatch.setattr(ReplayFilter, "spans", lambda asked: (spans(asked), house.settle())[0])

        run = begun()
        Replay(run, threading.Event()).go()

        assert house.seen(name="vase") == [1, 2, 1]
        assert (run.matched, run.handled) == (1, 1)

    def test_what_happened_before_the_group_began_is_shown_to_it(self, house: House) -> None:
        house.say(VASE)
        house.relay()
        house.handler(replayable=True)
        house.settle()
        assert house.seen() == []

        replayed()

        assert house.seen() == [VASE]

    def test_only_what_was_asked_for_comes_again(self, house: House, bus_clock: Any) -> None:
        house.handler(replayable=True)
        [first, _] = house.say(VASE, ("chair", 1))
        bus_clock.advance(minutes=1)
        second_was_told = clock.now()
        house.say(("vase", 2))
        bus_clock.advance(minutes=1)
        with transaction.atomic():
            publish(Unknown(name="vase"))
        house.say(("vase", 3))
        house.settle()

        for limits, expected in (
            ({"since": second_was_told, "until": second_was_told + timedelta(minutes=1)}, [("vase", 2)]),
            ({"since": second_was_told, "key": "vase"}, [("vase", 2), ("vase", 3)]),
            ({"key": "chair"}, [("chair", 1)]),
            ({"event_id": first}, [VASE]),
        ):
            already = len(house.seen())
            assert replayed(**limits).handled == len(expected)
            assert house.seen()[already:] == expected

    def test_counting_writes_nothing_and_calls_nobody(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE, ("chair", 1))
        house.settle()
        inbox = InboxRow.objects.count()

        counted = replay_filter.count(wanted())

        assert counted.types == {"house.noted.v1": 2}
        assert len(house.seen()) == 2
        assert (ReplayRun.objects.count(), InboxRow.objects.count()) == (0, inbox)

    def test_what_is_parked_or_dead_is_left_out_and_counted_apart(self, house: House) -> None:
        dead = Mended("dead", error=Permanent("no use"))
        late = Mended("late")
        house.handler(call=lambda event: (dead(event), late(event)), replayable=True)
        house.say(VASE, ("dead", 1), ("dead", 2), ("late", 1))
        house.say(("late", 2))  # of a later moment
        house.settle()
        dead.names.clear()
        late.names.clear()

        counted, run = replay_filter.count(wanted()), replayed()

        assert (counted.types, counted.left_out) == ({"house.noted.v1": 1}, 4)
        assert (run.matched, run.handled, run.state) == (5, 1, ReplayRun.State.DONE)
        assert house.seen() == [VASE, VASE]
        assert house.parked() == ["dead", "late"]
        with pytest.raises(ReplayRefused, match="1 are parked or dead"):
            begun(key="late", until=OutboxRow.objects.filter(key="late").order_by("-id")[0].created_at)

    def test_what_was_pruned_cannot_come_again_and_the_reach_is_told(self, house: House, bus_clock: Any) -> None:
        house.handler(replayable=True)
        [pruned] = house.say(VASE)
        bus_clock.advance(days=1)
        oldest = clock.now()
        house.say(("vase", 2))
        house.settle()
        assert replay_filter.count(wanted()).whole
        OutboxRow.objects.filter(event_id=pruned).delete()

        counted = replay_filter.count(wanted())

        assert (counted.matched, counted.reaches_back_to) == (1, oldest)
        with pytest.raises(ReplayRefused, match=f"reaches back only to {oldest:%Y-%m-%d %H:%M:%S} UTC"):
            begun(event_id=pruned)


@pytest.mark.django_db(transaction=True)
class ReplayIsForProjections:
    """What would do something twice is refused."""

    @pytest.mark.parametrize("other", ["house.noted", "house.unknown"])
    def test_a_group_with_other_handlers_is_refused_and_told_why(self, house: House, other: str) -> None:
        house.handler(replayable=True)
        event_type = Noted if other == "house.noted" else Unknown
        registry.handles(event_type, group="house-a")(lambda event: None)

        with pytest.raises(ReplayRefused, match=f"{other}.v1 may happen only once"):
            wanted()

    @pytest.mark.parametrize("due", [None, timedelta(hours=1)])
    def test_a_handler_that_publishes_in_a_replay_fails_and_tells_nothing(
        self, house: House, due: timedelta | None
    ) -> None:
        def answer(event: Noted) -> None:
            if event.name == "vase":
                publish(Noted(name="answer", number=event.number), due=due and clock.now() + due)

        house.handler(call=answer, replayable=True)
        house.say(VASE)
        house.settle()
        told = OutboxRow.objects.count()

        with pytest.raises(ReplayFailed, match="PublishInReplay"):
            replayed(key="vase")

        assert OutboxRow.objects.count() == told
        with transaction.atomic():
            publish(Noted(name="later", number=1))  # outside the replay all is as before
