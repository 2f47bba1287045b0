"""A replay from the pages: counted by partition, begun by a yes to exactly that number, then carried out."""

import threading
from datetime import timedelta

import pytest
from django.db import transaction

from eventbus import Permanent, clock, publish, registry
from eventbus.backends.base import TopicPartition
from eventbus.errors import LeaseLost
from eventbus.models import OperatorAction, OutboxRow, Progress, ReplayRun
from eventbus.processes.replay_schedule import ReplaySchedule
from eventbus.repairs import dead_letters, dry_runs, replay
from eventbus.repairs.replay_filter import ReplayRefused
from tests.eventbus.bus_app import House, Mended, Unknown
from tests.eventbus.busy_site import places
from tests.eventbus.replay_steps import VASE, wanted

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

    def test_events_that_come_meanwhile_are_not_in_it(self, house: House) -> None:
        house.handler(replayable=True)
        house.say(VASE)
        house.settle()
        run = dry_runs.freeze(wanted(), "ada")
        house.say(("vase", 2))
        house.settle()

        dry_runs.begin(run, "ada")
        carry_out()

        assert house.seen(name="vase") == [1, 2, 1]


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
