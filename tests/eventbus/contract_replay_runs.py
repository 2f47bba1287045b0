"""A replay stopped, killed, failed and resumed; and beside live handling."""

import threading
from typing import Any

import pytest

from eventbus.models import InboxRow, Progress, ReplayRun
from eventbus.repairs import replay
from eventbus.repairs.replay import Replay, ReplayFailed
from eventbus.repairs.replay_filter import ReplayRefused
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Mended, Noted
from tests.eventbus.busy_site import waiting
from tests.eventbus.database_obstacles import locked_progress, refuse
from tests.eventbus.replay_steps import VASE, begun, in_thread, replayed, stopped_after
from tests.waiting import DEADLINE_SECONDS, until

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
