"""Promise 8: replays, groups that left the code, and a site that is left alone."""

import threading
from typing import Any

import pytest

from eventbus import Permanent, registry
from eventbus.audit import delivery_audit
from eventbus.database.leases import Lease
from eventbus.failpoints import FailedHere, armed
from eventbus.models import ConsumerGroup, DeadLetter, InboxRow, OperatorAction, ParkedKey, Progress, ReplayRun
from eventbus.operations import pruning
from eventbus.operations.pruning import Pruned, Pruning
from eventbus.processes.pruning_schedule import PruningSchedule
from eventbus.repairs import group_removal, replay, replay_filter
from eventbus.repairs.replay_filter import ReplayFilter
from tests.eventbus.bus_app import House, Mended, Sown
from tests.eventbus.busy_site import KEEP, kept, many, places, prune_a_day_later, threads
from tests.waiting import until


@pytest.mark.django_db(transaction=True)
class WhatAReplayNeedsStays:
    """Promise 8."""

    def test_what_a_replay_has_not_reached_stays(self, house: House, bus_clock) -> None:
        house.handler(replayable=True)
        house.say(*many())
        house.settle()
        run, _ = replay.begin(ReplayFilter(group=registry.groups["house-a"], topics=["house"]), "Ada")

        assert prune_a_day_later(bus_clock).events == 0
        assert [one.who for one in pruning.held_back()] == [f"Replay {run.pk} of group house-a"]

        replay.Replay(run, threading.Event()).go()
        assert house.seen() == many() * 2
        assert prune_a_day_later(bus_clock).events == 4
        assert places() == {"handled": 5}

    def test_replays_that_ended_go_with_their_rows(self, house: House, bus_clock) -> None:
        house.handler(replayable=True)
        house.say(("vase", 1))
        house.settle()
        run, _ = replay.begin(ReplayFilter(group=registry.groups["house-a"], topics=["house"]), "Ada")
        replay.Replay(run, threading.Event()).go()
        assert InboxRow.objects.count() == 2

        assert Pruning(KEEP).go().replays == 0
        assert prune_a_day_later(bus_clock).replays == 1

        assert InboxRow.objects.count() == 1
        assert not ReplayRun.objects.exists()
        assert OperatorAction.objects.get().action == "replay"
        with pytest.raises(replay_filter.ReplayRefused, match="was pruned: begin another"):  # somebody had it in hand
            replay.resume(run, "Ada")

    def test_a_run_that_is_resumed_while_it_is_pruned_goes_on(self, house: House, bus_clock, monkeypatch) -> None:
        monkeypatch.setattr(pruning, "BATCH_ROWS", 2)
        broken = Mended()
        house.handler(call=lambda event: broken(event) if event.number == 5 else None, replayable=True)
        house.say(*many())
        house.settle()
        house.handler("house-b")
        Progress.objects.filter(group="house-b").update(start=0, offset=0)  # it is slow: no event goes
        broken.names.add("vase")
        run, _ = replay.begin(ReplayFilter(group=registry.groups["house-a"], topics=["house"]), "Ada")
        with pytest.raises(replay.ReplayFailed):
            replay.Replay(run, threading.Event()).go()
        broken.names.clear()
        bus_clock.advance(hours=25)

        def told(pruned: Pruned) -> None:
            if pruned.inbox == 2 and run.state == ReplayRun.State.FAILED:
                replay.resume(run, "Ada")

        assert Pruning(KEEP, told=told).go() == Pruned(inbox=2)

        replay.Replay(run, threading.Event()).go()
        assert (run.state, run.handled) == (ReplayRun.State.DONE, 5)
        assert house.seen() == many() * 2

    def test_a_replay_is_told_how_far_the_log_reaches_back(self, house: House, bus_clock) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken, replayable=True)
        house.say(("vase", 1), *many("chair"))
        house.settle()
        wanted = ReplayFilter(group=registry.groups["house-a"], topics=["house"])
        assert replay_filter.count(wanted).whole

        prune_a_day_later(bus_clock)

        assert not replay_filter.count(wanted).whole, "an old event that lies dead hides what was pruned after it"


@pytest.mark.django_db(transaction=True)
class AGroupThatIsGoneIsClosed:
    """Promise 8."""

    def test_a_group_that_left_the_code_holds_back_until_it_is_closed(self, house: House, bus_clock) -> None:
        house.handler("house-a")
        house.handler("house-b")
        house.say(*many())
        del registry.groups["house-b"]
        house.settle()

        assert prune_a_day_later(bus_clock).events == 0
        [held] = pruning.held_back()
        assert (held.topic, held.rows) == ("house", 5)
        assert "manage.py eventbus close house-b --topic house" in str(held)

        group_removal.close("house-b", who="Ada")
        assert prune_a_day_later(bus_clock).events == 4
        assert pruning.held_back() == []
        assert [one.group for one in delivery_audit.read().accounts if one.topic == "house"] == ["house-a"]
        assert OperatorAction.objects.get().action == "close"

    def test_a_group_is_not_closed_under_its_own_workers(self, house: House) -> None:
        house.handler()

        with pytest.raises(group_removal.RemovalRefused, match="in the code"):
            group_removal.close("house-a", force=True, who="Ada")

    def test_a_group_is_not_closed_over_what_waits_unless_that_is_said(self, house: House) -> None:
        house.handler("house-a", Mended("vase", error=Permanent("poison")))
        house.say(*many())
        house.settle()
        del registry.groups["house-a"]

        with pytest.raises(group_removal.RemovalRefused, match="4 parked events, 1 dead letters and 0 lost events"):
            group_removal.close("house-a", who="Ada")
        assert ParkedKey.objects.count() == 1

        group_removal.close("house-a", force=True, who="Ada")
        tables = (ConsumerGroup, Progress, ParkedKey, DeadLetter, InboxRow)
        assert [table._default_manager.filter(**_of(table)).count() for table in tables] == [0] * 5

    def test_one_topic_of_a_group_is_closed_and_the_others_stay(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.settle()
        Progress.objects.create(group="house-a", topic="elsewhere", partition=0, handled=1)

        group_removal.close("house-a", "elsewhere", who="Ada")

        assert places() == {"handled": 1}
        with pytest.raises(group_removal.Unknown):
            group_removal.close("house-a", "elsewhere", who="Ada")

    def test_a_replay_that_was_left_goes_no_further_once_its_topic_is_closed(self, house: House, bus_clock) -> None:
        house.handler("house-a", replayable=True)
        house.handler("house-b")
        house.say(*many())
        house.settle()
        run, _ = replay.begin(ReplayFilter(group=registry.groups["house-a"], topics=["house"]), "Ada")
        Progress.objects.create(group="house-a", topic="elsewhere", partition=0)
        del registry.groups["house-a"]

        group_removal.close("house-a", "house", who="Ada")

        with pytest.raises(replay_filter.ReplayRefused, match=r"cannot go on\. Group house-a was closed for house"):
            replay.resume(run, "Ada")
        assert prune_a_day_later(bus_clock).events == 4
        assert pruning.held_back() == []

    def test_closing_that_ended_in_the_middle_is_taken_up_again(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.settle()
        del registry.groups["house-a"]
        with armed("close.committed=error"), pytest.raises(FailedHere):
            group_removal.close("house-a", who="Ada")
        assert InboxRow.objects.exists()

        group_removal.close("house-a", who="Ada")

        assert not InboxRow.objects.exists()
        assert not ConsumerGroup.objects.filter(name="house-a").exists()

    @pytest.mark.parametrize("topic", ["", "house"], ids=["the group", "its topic"])
    def test_a_name_that_comes_back_after_a_closing_that_ended_in_the_middle_begins_anew(
        self, house: House, topic: str
    ) -> None:
        house.handler("house-a")
        house.handler("house-a", on=Sown)
        house.say(*many())
        house.settle()
        registry.groups.clear()
        house.restart()
        if topic:
            house.handler("house-a", on=Sown, start="earliest")
        with armed("close.committed=error"), pytest.raises(FailedHere):
            group_removal.close("house-a", topic, who="Ada")

        house.handler("house-a", start="earliest")
        house.restart()
        house.settle()

        assert sorted(house.seen("house-a")) == sorted(many() * 2)
        assert delivery_audit.problems(delivery_audit.read()) == []


@pytest.mark.django_db(transaction=True)
class TheHouseIsKept:
    """Promise 8: by the one that dispatches."""

    def test_the_one_that_dispatches_keeps_the_house(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(*many())
        house.settle()
        bus_clock.advance(hours=25)
        stop, lease = threading.Event(), Lease("dispatcher")
        assert lease.acquire()

        with threads(lambda: PruningSchedule(stop, lease.check).run(round_seconds=0.01)):
            try:
                until(lambda: kept() == [5], "pruned by itself")
            finally:
                stop.set()

    def test_one_that_lost_its_lease_prunes_no_more(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(*many())
        house.settle()
        bus_clock.advance(hours=25)
        lease = Lease("dispatcher")
        assert lease.acquire()
        lease.release()

        PruningSchedule(threading.Event(), lease.check).run(round_seconds=0.01)  # it returns

        assert kept() == [1, 2, 3, 4, 5]

    def test_a_world_that_breaks_while_it_prunes_is_waited_for(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(*many())
        house.settle()
        bus_clock.advance(hours=25)
        stop = threading.Event()

        with armed("pruned=break"), threads(lambda: PruningSchedule(stop, lambda: None).run(round_seconds=0.01)):
            try:
                until(lambda: kept() == [5], "pruned once the world was back")
            finally:
                stop.set()


def _of(table: Any) -> dict[str, str]:
    return {"name": "house-a"} if table is ConsumerGroup else {"group": "house-a"}
