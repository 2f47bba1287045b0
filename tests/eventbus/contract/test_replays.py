"""Replays change nothing but projections, and are handled once."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from eventbus import Permanent, clock, publish, registry
from eventbus.models import InboxRow, OutboxRow, Progress, ReplayRun
from eventbus.repairs import replay, replay_filter
from eventbus.repairs.replay import Replay, ReplayFailed
from eventbus.repairs.replay_filter import ReplayFilter, ReplayRefused
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Mended, Noted, Unknown
from tests.eventbus.busy_site import waiting
from tests.eventbus.database_obstacles import locked_progress, refuse
from tests.eventbus.replay_steps import VASE, begun, in_thread, replayed, stopped_after, wanted
from tests.waiting import DEADLINE_SECONDS, until

# Replaying a group's projections: past events come again, and nothing else changes.


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


# A replay stopped, killed, failed and resumed; and beside live handling.

SEVERAL = 3  # tries, each until its lock timeout


@pytest.mark.django_db(transaction=True)
class ReplayIsHandledOnce:
    """Stopped, killed, failed, resumed: in one run an event is handled once."""

    def test_a_run_that_was_stopped_goes_on_where_it_was(self, house: House) -> None:
        house.handler(replayable=True, batch=2)
        house.say(*(("vase", number) for number in range(6)))
        house.settle()
        run = begun()

        stopped_after(run, batches=1)
        assert (run.state, run.handled) == (ReplayRun.State.RUNNING, 2)
        Replay(run, threading.Event()).go()

        assert house.seen(name="vase") == [*range(6), *range(6)]
        assert (run.state, run.handled) == (ReplayRun.State.DONE, 6)

    def test_a_run_that_was_killed_in_a_batch_goes_on_before_it(self, house: House) -> None:
        dies: list[int] = []

        def die(event: Noted) -> None:
            if event.number in dies:
                dies.clear()
                raise Crash

        house.handler(call=die, replayable=True, batch=2)
        house.say(*(("vase", number) for number in range(4)))
        house.settle()
        dies.append(3)
        run = begun()

        with pytest.raises(Crash):
            Replay(run, threading.Event()).go()
        Replay(run, threading.Event()).go()

        assert house.seen(name="vase") == [*range(4), *range(4)]

    def test_a_run_whose_offset_was_lost_handles_nothing_twice_and_another_run_does(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        run = begun()
        begins = run.offsets
        Replay(run, threading.Event()).go()

        ReplayRun.objects.update(offsets=begins, state=ReplayRun.State.RUNNING)
        Replay(run, threading.Event()).go()
        assert house.seen(name="vase") == [1, 1]

        replayed()
        assert house.seen(name="vase") == [1, 1, 1]

    def test_a_replay_does_not_stand_for_live_handling(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        replayed()
        InboxRow.objects.filter(replay=0).delete()

        house.rewind()
        house.settle()

        assert house.seen(name="vase") == [1, 1, 1]

    def test_a_failure_ends_the_run_before_that_event_and_names_it(self, house: House) -> None:
        broken = Mended()
        house.handler(call=lambda event: broken(event) if event.number == 2 else None, replayable=True)
        events = house.say(*(("vase", number) for number in range(4)))
        house.settle()
        before = list(Progress.objects.order_by("id").values())
        broken.names.add("vase")
        run = begun()

        with pytest.raises(ReplayFailed, match=str(events[2])):
            Replay(run, threading.Event()).go()

        assert (run.state, run.handled) == (ReplayRun.State.FAILED, 2)
        assert "ValueError: broken" in run.error
        assert (house.parked(), house.dead()) == ([], [])
        assert list(Progress.objects.order_by("id").values()) == before

        broken.names.clear()
        replay.resume(run, "ada")
        Replay(run, threading.Event()).go()
        assert house.seen(name="vase") == [*range(4), *range(4)]
        assert (run.state, run.error) == (ReplayRun.State.DONE, "")
        with pytest.raises(ReplayRefused, match="is done"):
            replay.resume(run, "ada")

    def test_a_run_whose_places_are_gone_does_not_count_as_done_but_is_refused(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        run = begun()
        lost = {"state": ReplayRun.State.FAILED, "error": "The log was lost: begin another", "offsets": "{}"}
        ReplayRun.objects.update(**lost)

        with pytest.raises(ReplayRefused, match=r"cannot go on\. The log was lost: begin another"):
            replay.resume(run, "ada")

        assert ReplayRun.objects.filter(**lost).exists()
        assert replayed().handled == 1

    def test_contention_is_no_failure(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        tries, step = [], Replay._step

        def noted(*arguments: Any) -> bool:
            tries.append(arguments)
            return step(*arguments)

        monkeypatch.setattr(Replay, "_step", noted)
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        run = begun()

        with locked_progress():
            thread = in_thread(Replay(run, threading.Event()).go)
            until(lambda: len(tries) > SEVERAL or not thread.is_alive(), "several lock timeouts")
            assert thread.is_alive()
        thread.join(DEADLINE_SECONDS)

        run.refresh_from_db()
        assert (run.state, run.error) == (ReplayRun.State.DONE, "")
        assert house.seen(name="vase") == [1, 1]

    def test_a_row_that_somebody_holds_for_long_ends_the_run_before_that_event(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("eventbus.repairs.replay.LOCK_SECONDS", 0.05)
        held: list[int] = []
        house.handler(
            call=lambda event: refuse("55P03", "SQLITE_BUSY") if event.number in held else None, replayable=True
        )
        events = house.say(*(("vase", number) for number in range(4)))
        house.settle()
        held.append(2)
        run = begun()

        with pytest.raises(ReplayFailed, match=str(events[2])):
            Replay(run, threading.Event()).go()

        assert (run.state, run.handled) == (ReplayRun.State.FAILED, 2)
        held.clear()
        replay.resume(run, "ada")
        Replay(run, threading.Event()).go()
        assert house.seen(name="vase") == [*range(4), *range(4)]

    def test_two_processes_with_the_same_run_take_turns(self, house: House) -> None:
        house.handler(replayable=True, batch=1)
        house.say(*(("vase", number) for number in range(20)))
        house.settle()
        run = begun()
        both = [ReplayRun.objects.get(id=run.id) for _ in range(2)]

        threads = [in_thread(Replay(one, threading.Event()).go) for one in both]
        for thread in threads:
            thread.join(DEADLINE_SECONDS)

        assert house.seen(name="vase") == [*range(20), *range(20)]
        assert [(one.state, one.handled) for one in both] == [(ReplayRun.State.DONE, 20)] * 2

    def test_live_handling_waits_while_the_replay_has_its_partition_in_hand(self, house: House) -> None:
        in_hand, go_on, again = threading.Event(), threading.Event(), []

        def wait(event: Noted) -> None:
            if event.number == 1 and again:
                in_hand.set()
                assert go_on.wait(DEADLINE_SECONDS)

        house.handler(call=wait, replayable=True)
        house.say(VASE)
        house.settle()
        again.append(True)
        house.say(("vase", 2))
        house.relay()

        replaying = in_thread(Replay(begun(), threading.Event()).go)
        assert in_hand.wait(DEADLINE_SECONDS)
        with house.working():
            until(lambda: waiting() or len(house.seen()) > 1, "the worker waits, or did not and is done")
            go_on.set()
            replaying.join(DEADLINE_SECONDS)
            until(lambda: len(house.seen()) == 3, "the live event handled")

        assert house.seen(name="vase") == [1, 1, 2]
