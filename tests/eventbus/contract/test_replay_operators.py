"""Replays as operators see them: counted first, watched by nobody, or in need of a decision."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from eventbus import Permanent, backends, clock, publish, registry
from eventbus.backends.base import TopicPartition
from eventbus.consuming import batch
from eventbus.errors import GroupStopped, LeaseLost
from eventbus.models import Divergence, OperatorAction, OutboxRow, Progress, ReplayRun
from eventbus.operations import status
from eventbus.processes.replay_schedule import CRASHES_MAX, ReplaySchedule
from eventbus.progress import replay_runs
from eventbus.recovery import divergence
from eventbus.repairs import dead_letters, dry_runs, replay, restore_repair
from eventbus.repairs.failing_replays import STUCK_SECONDS
from eventbus.repairs.replay_filter import ReplayRefused
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Mended, Noted, Unknown
from tests.eventbus.busy_site import places
from tests.eventbus.replay_steps import VASE, begun, wanted

# A replay from the pages: counted by partition, begun by a yes to exactly that number, then carried out.

KEYS = tuple(f"key-{number}" for number in range(12))  # enough for several partitions


def carry_out() -> None:
    ReplaySchedule(threading.Event(), lambda: None).look()


def numbers(run: ReplayRun) -> tuple[int, int]:
    found = dry_runs.counts(run)
    return sum(one.events for one in found), sum(one.left_out for one in found)


@pytest.mark.django_db(transaction=True)
class ADryRunIsWhatFollows:
    """The dry run counts exactly the events that are then handled again."""

    def test_each_partition_is_counted_and_handled_as_counted(self, house: House) -> None:
        house.handler(call=Mended("key-3", error=Permanent("poison")), replayable=True)
        house.say(*((key, 1) for key in KEYS), *((key, 2) for key in KEYS))
        with transaction.atomic():
            publish(Unknown(name="key-1"))
        house.settle()
        before, live = places(), list(Progress.objects.order_by("id").values())
        already = len(house.seen())

        run = dry_runs.freeze(wanted(), "ada")
        carry_out()
        assert (len(house.seen()), OperatorAction.objects.count()) == (already, 0)  # nobody has said yes
        dry_runs.begin(run, "ada")
        carry_out()

        run.refresh_from_db()
        assert numbers(run) == (2 * len(KEYS) - 2, 2)
        assert (run.state, run.handled) == (ReplayRun.State.DONE, 2 * len(KEYS) - 2)
        assert len(house.seen()) - already == run.handled
        assert house.seen(name="key-5") == [1, 2, 1, 2]
        assert (places(), list(Progress.objects.order_by("id").values())) == (before, live)
        [action] = OperatorAction.objects.all()
        assert (action.who, action.action, action.count) == ("ada", "replay", run.handled)

    def test_chosen_partitions_are_handled_again_from_the_offset(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(*((key, number) for number in range(3) for key in KEYS))
        house.settle()
        chosen = Progress.objects.filter(group="house-a", offset__gt=2).order_by("partition")[0]
        rows = OutboxRow.objects.filter(partition=chosen.partition, offset__gte=2)
        expected, already = rows.count(), len(house.seen())

        limits = {"partitions": [TopicPartition("house", chosen.partition)], "offset": 2}
        run = dry_runs.freeze(wanted(**limits), "ada")
        dry_runs.begin(run, "ada")
        carry_out()

        [one] = dry_runs.counts(run)
        assert (one.partition, one.first, one.events) == (chosen.partition, 2, expected)
        assert len(house.seen()) - already == expected

    def test_a_time_chooses_what_was_published_since(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(("vase", 1), ("vase", 2))
        house.settle()
        OutboxRow.objects.filter(key="vase", offset=0).update(created_at=clock.now() - timedelta(hours=1))

        run = dry_runs.freeze(wanted(since=clock.now() - timedelta(minutes=1)), "ada")
        dry_runs.begin(run, "ada")
        carry_out()

        assert house.seen(name="vase") == [1, 2, 2]

    def test_a_number_that_has_changed_is_asked_for_again(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken, replayable=True)
        house.say(VASE, ("chair", 1))
        house.settle()
        run = dry_runs.freeze(wanted(), "ada")
        assert numbers(run) == (1, 1)
        broken.names.clear()
        dead_letters.decide([house.dead()[0].pk], house.dead()[0].Request.REQUEUE, "grace")
        house.settle()
        OperatorAction.objects.all().delete()

        with pytest.raises(ReplayRefused, match="numbers have changed"):
            dry_runs.begin(run, "ada")
        carry_out()
        assert (run.state, numbers(run), OperatorAction.objects.count()) == ("frozen", (2, 0), 0)
        assert house.seen() == [("chair", 1), VASE]

        dry_runs.begin(run, "ada")
        carry_out()
        assert len(house.seen()) == 4


@pytest.mark.django_db(transaction=True)
class ARunHasAnOperator:
    """Only who saw the numbers says yes, once; a run is stopped and goes on, also in another process."""

    def test_only_who_saw_the_numbers_lets_it_begin_and_once(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        run = dry_runs.freeze(wanted(), "ada")

        with pytest.raises(ReplayRefused, match="another operator"):
            dry_runs.begin(run, "grace")
        with pytest.raises(ReplayRefused, match="has not said yes"):
            replay.resume(run, "grace")
        dry_runs.begin(run, "ada")
        with pytest.raises(ReplayRefused, match="begun already"):
            dry_runs.begin(run, "ada")
        carry_out()

        assert house.seen() == [VASE, VASE]

    def test_a_stopped_run_keeps_what_it_did_and_goes_on(self, house: House) -> None:
        house.handler(replayable=True, batch=1)
        house.say(*(("vase", number) for number in range(4)))
        house.settle()
        run = dry_runs.freeze(wanted(), "ada")
        dry_runs.begin(run, "ada")
        steps: list[int] = []

        def stops() -> None:
            steps.append(1)
            if len(steps) == 3:  # before the run, and after each of two batches
                dry_runs.stop(run, "grace")

        ReplaySchedule(threading.Event(), stops).look()
        carry_out()
        run.refresh_from_db()
        assert (run.state, run.handled) == (ReplayRun.State.STOPPED, 2)
        with pytest.raises(ReplayRefused, match="not running"):
            dry_runs.stop(run, "grace")

        dry_runs.go_on(run, "ada")
        carry_out()

        assert house.seen(name="vase") == [*range(4), *range(4)]
        trail = list(OperatorAction.objects.order_by("id").values_list("who", "action"))
        assert trail == [("ada", "replay"), ("grace", "stop"), ("ada", "replay")]

    def test_a_process_that_lost_its_lease_leaves_the_run_to_another(self, house: House) -> None:
        house.handler(replayable=True, batch=1)
        house.say(*(("vase", number) for number in range(3)))
        house.settle()
        run = dry_runs.freeze(wanted(), "ada")
        dry_runs.begin(run, "ada")
        steps: list[int] = []

        def fence() -> None:
            steps.append(1)
            if len(steps) == 2:
                raise LeaseLost("another process has it")

        with pytest.raises(LeaseLost):
            ReplaySchedule(threading.Event(), fence).look()
        carry_out()

        assert house.seen(name="vase") == [*range(3), *range(3)]

    def test_a_group_that_left_the_code_ends_its_run_with_the_reason(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        run = dry_runs.freeze(wanted(), "ada")
        dry_runs.begin(run, "ada")
        registry.groups.pop("house-a")

        carry_out()

        run.refresh_from_db()
        assert (run.state, house.seen()) == (ReplayRun.State.FAILED, [VASE])
        assert "not in the code" in run.error

    def test_nothing_to_handle_is_no_run(self, house: House) -> None:
        house.handler(replayable=True)

        with pytest.raises(ReplayRefused, match="Nothing to handle again"):
            dry_runs.freeze(wanted(), "ada")

        assert not ReplayRun.objects.exists()


# A replay that nobody watches: it ends no site, hangs no group, and tells an operator when it needs one.

State = ReplayRun.State


def running(group: str = "house-a") -> ReplayRun:
    run = dry_runs.freeze(wanted(group), "ada")
    dry_runs.begin(run, "ada")
    return run


def carry_out_fenced(fence: Callable[[], None] = lambda: None) -> None:
    ReplaySchedule(threading.Event(), fence).look()


def told() -> list[str]:
    found = status.problems(status.status(), dispatches=True)
    return [str(one) for one in found if one.kind == "replay"]


def state_of(run: ReplayRun) -> ReplayRun.State:
    run.refresh_from_db()
    return ReplayRun.State(run.state)


@pytest.mark.django_db(transaction=True)
class ReplaysThatNobodyWatches:
    """They have a worker's limits, and end before the event that breaks them."""

    def test_a_handler_that_takes_longer_than_it_says_ends_the_run_before_its_event(
        self, house: House, bus_clock: Any
    ) -> None:
        again: list[bool] = []
        house.handler(call=lambda event: clock.advance(seconds=6) if again else None, replayable=True, seconds=5.0)
        house.say(VASE)
        house.settle()
        run = running()
        again.append(True)

        carry_out_fenced()

        assert (state_of(run), run.handled) == (State.FAILED, 0)
        assert "HandlerTimeout: It took over 5 s" in run.error

    def test_a_batch_ends_after_the_time_of_a_workers_batch(
        self, house: House, bus_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(batch.BATCH_SECONDS, connection.vendor, 1.0)
        house.handler(call=lambda event: clock.advance(seconds=1), replayable=True)
        house.say(*(("vase", number) for number in range(3)))
        house.settle()
        run, moved = running(), []

        def note() -> None:
            moved.append(ReplayRun.objects.get(pk=run.pk).handled)

        carry_out_fenced(note)

        assert moved[:4] == [0, 1, 2, 3], "live handling gets its turn after each"
        assert state_of(run) == State.DONE

    def test_an_event_that_ends_each_process_ends_the_run_and_not_every_process(self, house: House) -> None:
        deadly: list[int] = []

        def die(event: Noted) -> None:
            if deadly:
                deadly.append(event.number)
                raise Crash

        house.handler(call=die, replayable=True)
        house.say(VASE)
        house.settle()
        run = running()
        deadly.append(0)

        for _process in range(CRASHES_MAX):
            with pytest.raises(Crash):
                carry_out_fenced()
        carry_out_fenced()
        carry_out_fenced()

        assert (state_of(run), len(deadly)) == (State.FAILED, 1 + CRASHES_MAX)
        assert f"{CRASHES_MAX} processes ended" in run.error

        deadly.clear()
        dry_runs.go_on(run, "ada")
        carry_out_fenced()
        assert state_of(run) == State.DONE

    def test_processes_that_leave_in_order_are_not_counted(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        run = running()
        leaves = threading.Event()
        leaves.set()

        for _deploy in range(CRASHES_MAX + 1):
            ReplaySchedule(leaves, lambda: None).look()
        assert state_of(run) == State.RUNNING

        carry_out_fenced()
        assert state_of(run) == State.DONE

    def test_a_run_that_is_stopped_and_resumed_while_a_batch_ends_is_not_done(self, house: House) -> None:
        house.handler(replayable=True, batch=1)
        house.say(*(("vase", number) for number in range(3)))
        house.settle()
        run = running()
        step, steps = dry_runs.stop, list[int]()

        def stop() -> None:
            steps.append(1)
            if len(steps) == 2:
                step(run, "grace")

        def resume(*_named: object, **_more: object) -> None:
            if ReplayRun.objects.filter(pk=run.pk, state=State.STOPPED).exists():
                dry_runs.go_on(run, "grace")

        with pytest.MonkeyPatch.context() as patch:  # at the one moment between the last batch and the end
            patch.setattr("eventbus.repairs.replay.Replay._end", _after(resume))
            carry_out_fenced(stop)
        carry_out_fenced()

        assert house.seen(name="vase") == [*range(3), *range(3)]
        assert state_of(run) == State.DONE

    def test_nothing_is_handled_again_once_a_restore_is_noticed(self, house: House) -> None:
        house.handler(replayable=True, batch=1)
        house.say(*(("vase", number) for number in range(3)))
        house.settle()
        run = running()
        steps: list[int] = []

        def restored() -> None:
            steps.append(1)
            if len(steps) == 2:
                divergence.stand_still(house.log()[0])

        with pytest.raises(GroupStopped, match="restored"):
            carry_out_fenced(restored)
        carry_out_fenced()
        assert len(house.seen()) == 3 + 1

        restore_repair.apply(backends.current(), "grace", wait=lambda seconds: None)
        carry_out_fenced()

        assert not Divergence.objects.exists()
        assert (state_of(run), len(house.seen())) == (State.STOPPED, 3 + 1)
        dry_runs.go_on(run, "ada")
        carry_out_fenced()
        assert state_of(run) == State.DONE

    def test_two_operators_at_once_have_a_group_handle_them_again_once(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        first, second = dry_runs.freeze(wanted(), "ada"), dry_runs.freeze(wanted(), "grace")
        dry_runs.begin(first, "ada")

        with pytest.raises(ReplayRefused, match=f"Replay {first.pk} of this group is running"):
            dry_runs.begin(second, "grace")
        with pytest.raises(ReplayRefused, match="running already"):
            dry_runs.go_on(first, "ada")
        carry_out_fenced()

        assert (state_of(second), house.seen()) == (State.FROZEN, [VASE, VASE])
        [action] = OperatorAction.objects.all()
        assert action.replay == first.pk


@pytest.mark.django_db(transaction=True)
class ReplaysThatNeedAnOperator:
    """One that has failed or is stuck is a problem of the bus, until somebody decides."""

    def test_a_failed_run_is_told_until_it_goes_on_or_is_given_up(self, house: House, bus_clock: Any) -> None:
        broken = Mended(error=Permanent("poison"))
        house.handler(call=broken, replayable=True)
        house.say(VASE)
        house.settle()
        run = running()
        broken.names.add("vase")
        carry_out_fenced()
        clock.advance(seconds=60)

        [problem] = [one for one in status.problems(status.status(), dispatches=True) if one.kind == "replay"]
        assert (problem.about, problem.row) == ("house-a", run.pk)
        assert problem.since == clock.now() - timedelta(seconds=60)
        assert "has failed after 0 of 1 events" in problem and "poison" not in problem

        dry_runs.go_on(run, "ada")
        assert told() == []
        carry_out_fenced()
        assert len(told()) == 1
        dry_runs.stop(run, "ada")
        assert told() == []
        trail = list(OperatorAction.objects.order_by("id").values_list("action", "replay"))
        assert trail == [("replay", run.pk), ("replay", run.pk), ("stop", run.pk)]

    def test_a_run_that_nobody_carries_out_is_told_and_one_that_waits_for_it_is_not(
        self, house: House, bus_clock: Any
    ) -> None:
        house.handler(replayable=True)
        house.handler("house-b", replayable=True)
        house.say(VASE)
        house.settle()
        run, _waits = running(), running("house-b")
        clock.advance(seconds=STUCK_SECONDS - 1)
        assert told() == []

        clock.advance(seconds=2)
        [text] = told()
        assert f"Replay {run.pk} of group house-a is running, and has not moved since" in text

        carry_out_fenced()
        assert told() == []

    def test_a_run_of_a_command_that_was_killed_is_told_and_goes_on_from_its_page(
        self, house: House, bus_clock: Any
    ) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        run = begun()
        clock.advance(seconds=STUCK_SECONDS + 1)
        assert len(told()) == 1

        dry_runs.stop(run, "ada")
        dry_runs.go_on(run, "ada")
        carry_out_fenced()

        assert (state_of(run), told()) == (State.DONE, [])

    def test_a_lost_log_fails_only_the_runs_that_were_running(self, house: House) -> None:
        house.handler(replayable=True)
        house.handler("house-b", replayable=True)
        house.handler("house-c", replayable=True)
        house.say(VASE)
        house.settle()
        runs = [running(), running("house-b"), dry_runs.freeze(wanted("house-c"), "ada")]
        dry_runs.stop(runs[1], "ada")

        replay_runs.end("house", "The log was lost meanwhile")

        assert [state_of(run) for run in runs] == [State.FAILED, State.STOPPED, State.STOPPED]
        assert [one.partition(" has failed")[0] for one in told()] == [f"Replay {runs[0].pk} of group house-a"]


def _after(call: Callable[..., None]) -> Callable[..., None]:
    """Replay._end, with a call before it."""
    from eventbus.repairs.replay import Replay

    end = Replay._end

    def run(replay: Replay) -> None:
        call()
        end(replay)

    return run
