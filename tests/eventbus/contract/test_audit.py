"""Each event lies in one place, and what nobody needs is taken away."""

import contextlib
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F, Max

from eventbus import Permanent, clock, handles, publish, registry
from eventbus.audit import delivery_audit
from eventbus.audit.delivery_audit import Violation
from eventbus.database.leases import Lease
from eventbus.failpoints import FailedHere, armed
from eventbus.models import (
    ConsumerGroup,
    DeadLetter,
    Effect,
    InboxRow,
    OperatorAction,
    OutboxRow,
    ParkedEvent,
    ParkedKey,
    Progress,
    ReplayRun,
)
from eventbus.operations import pruning
from eventbus.operations.pruning import Pruned, Pruning
from eventbus.processes.dispatcher import Dispatcher
from eventbus.processes.pruning_schedule import PruningSchedule
from eventbus.repairs import group_removal, replay, replay_filter
from eventbus.repairs.dead_letters import UNDO_DAYS
from eventbus.repairs.replay_filter import ReplayFilter
from tests.eventbus.bus_app import House, Mended, Noted, Sown, Unknown
from tests.eventbus.busy_site import (
    KEEP,
    TRANSACTIONS,
    WRITERS,
    Meanwhile,
    account,
    decide_about_the_dead,
    kept,
    many,
    noise,
    places,
    prune_a_day_later,
    threads,
    writer,
)
from tests.waiting import until

# Promise 8: every event lies in exactly one place, and what is written in two places agrees.

READS_MIN, CROSSED_MIN = (
    30,
    3,
)  # audits; and how many of them while something was handled


@pytest.mark.django_db(transaction=True)
class OnePlaceEach:
    """Promise 8."""

    def test_each_event_is_counted_in_its_place(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler("house-a", broken)
        house.handler("house-b", broken, on_dead="skip")
        with transaction.atomic():
            publish(Unknown(name="chair"))
        house.say(("chair", 1), ("vase", 1), ("vase", 2), ("bowl", 1))
        house.settle()

        assert places() == {"handled": 2, "ignored": 1, "dead": 1, "parked": 1}
        assert places("house-b") == {"handled": 2, "ignored": 1, "skipped": 2}

    def test_what_waits_for_its_turn_is_pending_before_and_after_the_relay(self, house: House) -> None:
        house.handler()
        house.say(("chair", 1))
        house.settle()
        house.say(("chair", 2), ("vase", 2))
        assert places() == {"handled": 1, "pending": 2}

        house.relay()

        assert places() == {"handled": 1, "pending": 2}

    def test_a_timer_counts_once_it_is_due(self, house: House, bus_clock) -> None:
        house.handler()
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=clock.now() + timedelta(hours=1))
        assert places() == {}

        bus_clock.advance(hours=1)
        house.settle()

        assert places() == {"handled": 1}

    def test_what_the_log_rejected_is_counted_apart(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1), ("chair", 1))
        OutboxRow.objects.filter(key="vase").update(rejected="too large")
        house.settle()

        assert places() == {"handled": 1}
        assert delivery_audit.read().rejected == {"house": 1}

    def test_what_was_said_before_a_group_began_is_not_its_own(self, house: House) -> None:
        house.handler("house-a")
        house.say(("vase", 1))
        house.settle()

        house.handler("house-b")
        house.say(("vase", 2))
        house.restart()
        house.settle()

        assert (places("house-a"), places("house-b")) == ({"handled": 2}, {"handled": 1})

    def test_an_event_that_fails_moves_from_place_to_place_and_lies_in_one(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken, attempts=2)
        house.say(("vase", 1), ("vase", 2))
        house.settle()
        assert places() == {"parked": 2}

        bus_clock.advance(hours=1)
        house.settle()
        assert places() == {"dead": 1, "parked": 1}

        DeadLetter.objects.update(request="requeue")
        assert places() == {"dead": 1, "parked": 1}
        broken.names.clear()
        house.settle()
        assert places() == {"handled": 2}

    @pytest.mark.misfits
    def test_what_cannot_be_decoded_is_among_the_dead_and_told(self, house: House) -> None:
        house.handler(call=Mended("chair", error=Permanent("poison")))
        house.say(("vase", 1), ("chair", 1))
        OutboxRow.objects.filter(key="vase").update(payload=b"\xff")
        house.settle()

        assert places() == {"dead": 2}
        assert account().undecodable == 1

    def test_a_replay_counts_nothing_twice(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.settle()
        row = InboxRow.objects.get()
        row.pk, row.replay = None, 7
        row.save()

        assert places() == {"handled": 1}
        assert delivery_audit.read().replayed == {"house-a": 1}

    def test_a_release_that_learns_a_type_once_ignored_has_lost_nothing(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Unknown(name="chair"))
        house.settle()

        handles(Unknown, group="house-a")(lambda event: None)
        house.restart()
        house.settle()

        assert places() == {"ignored": 1}

    def test_it_balances_while_the_site_is_busy(self, house: House) -> None:
        meanwhile = Meanwhile(noise(house))
        reads = 0
        with (
            contextlib.closing(Dispatcher.start_in_process()),
            threads(*map(writer, range(WRITERS)), decide_about_the_dead) as busy,
        ):
            while busy() or not meanwhile.is_over() or reads < READS_MIN:
                with meanwhile.reading():
                    found = delivery_audit.read()
                assert delivery_audit.problems(found) == []
                reads += 1
        house.settle()
        assert delivery_audit.problems(delivery_audit.read()) == []
        assert meanwhile.crossed >= CROSSED_MIN

        mine = account()
        assert mine.pending == 0
        assert mine.published == WRITERS * TRANSACTIONS * 4 + WRITERS * TRANSACTIONS // 5
        assert mine.ignored == WRITERS * TRANSACTIONS
        assert mine.handled >= WRITERS * TRANSACTIONS * 2


# Promise 8: what is wrong is named, with its events.


def violation() -> Violation:
    [found] = delivery_audit.read().violations
    return found


@pytest.mark.django_db(transaction=True)
class WhatDoesNotBalanceIsNamed:
    """Promise 8."""

    def test_an_event_in_two_places_is_named(self, house: House) -> None:
        house.handler(call=Mended("vase"))
        house.say(("vase", 1), ("chair", 1))
        house.settle()
        parked = ParkedEvent.objects.get()

        InboxRow.objects.create(group="house-a", event_id=parked.event_id, handled_at=clock.now())
        Progress.objects.filter(group="house-a", partition=parked.partition).update(handled=F("handled") + 1)

        assert violation().what == "in two states (handled and parked)"
        assert violation().event_ids == [parked.event_id]
        assert account().balance == -1

    def test_an_event_that_was_never_handled_nor_ignored_is_lost(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Unknown(name="vase"))
        [lost] = house.say(("vase", 1))
        house.relay()

        _pass_over("vase", ignored=1)

        assert violation().what == "lost (passed, and nowhere)"
        assert (violation().count, violation().event_ids[0]) == (1, lost)
        assert account().balance == 1

    def test_an_event_whose_row_was_lost_is_named(self, house: House) -> None:
        house.handler()
        [lost] = house.say(("vase", 1))
        house.settle()

        InboxRow.objects.all().delete()

        whats = {one.what for one in delivery_audit.read().violations}
        assert whats == {
            "lost (passed, and nowhere)",
            "handled differs (the counter says 1, the rows say 0)",
        }
        assert str(lost) in delivery_audit.problems(delivery_audit.read())[0]

    def test_a_offset_moved_forward_is_named(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()

        _pass_over("vase", ignored=0)

        assert violation().what == "lost (passed, and nowhere)"

    def test_a_offset_moved_back_is_named(self, house: House) -> None:
        house.handler()
        [again] = house.say(("vase", 1))
        house.settle()

        house.rewind()

        assert "handled, and still to come" in violation().what
        assert violation().event_ids == [again]

    @pytest.mark.parametrize("counter", ["handled", "ignored", "discarded"])
    def test_a_counter_that_says_something_else_than_the_rows_is_named(self, house: House, counter: str) -> None:
        house.handler()
        house.say(("vase", 1))
        house.settle()

        Progress.objects.filter(group="house-a", partition=0).update(**{counter: F(counter) + 2})

        assert violation().what.startswith(f"{counter} differs")
        assert violation().count == 2

    def test_a_parked_event_that_was_taken_from_the_outbox_is_named(self, house: House) -> None:
        house.handler(call=Mended("vase"))
        [event_id] = house.say(("vase", 1))
        house.settle()

        OutboxRow.objects.all().delete()

        assert violation().what == "parked, and gone from the outbox"
        assert violation().event_ids == [event_id]


def _pass_over(key: str, *, ignored: int) -> None:
    """Move the offset to the partition's end, as a fault would, and count so many as ignored."""
    last = OutboxRow.objects.filter(key=key).order_by("-offset")[0]
    rows = Progress.objects.filter(group__in=registry.groups, topic=last.topic, partition=last.partition)
    rows.update(offset=last.offset + 1, ignored=ignored)


# Promise 8, while what nobody needs any more is taken away.

PRUNED_MIN = 20  # times while the site is busy


@pytest.mark.django_db(transaction=True)
class NothingGrowsForEver:
    """Promise 8."""

    def test_what_every_group_has_passed_goes_and_the_ledger_still_says_all(self, house: House, bus_clock) -> None:
        house.handler("house-a")
        house.handler("house-b", Mended("vase"), attempts=1, on_dead="skip")
        with transaction.atomic():
            publish(Unknown(name="vase"))
        house.say(*many())
        house.settle()
        DeadLetter.objects.update(request="discard")
        house.settle()
        before = places("house-a"), places("house-b")
        assert before == ({"handled": 5, "ignored": 1}, {"ignored": 1, "discarded": 5})
        bus_clock.advance(days=UNDO_DAYS)  # what is discarded can be restored for so long

        pruned = prune_a_day_later(bus_clock)

        assert (pruned.events, pruned.inbox, pruned.dead_letters) == (5, 4, 4)
        assert kept() == [5]
        assert (places("house-a"), places("house-b")) == before
        assert account("house-a").published == 6

    def test_what_some_group_has_not_passed_stays(self, house: House, bus_clock) -> None:
        house.handler("house-a")
        house.say(*many())
        house.settle()
        house.handler("house-b")
        Progress.objects.filter(group="house-b").update(start=0, offset=0)  # it is slow
        assert places("house-b") == {"pending": 5}

        assert prune_a_day_later(bus_clock).events == 0

        house.restart()
        house.settle()
        assert house.seen("house-b") == many()

    def test_a_group_that_has_not_begun_in_a_partition_holds_it_back(self, house: House, bus_clock, settings) -> None:
        settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 1}}
        house.handler("house-b")
        settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 4}}
        house.handler("house-a")
        slow = registry.groups.pop("house-b")  # its workers are not yet told of the new partitions
        names = [f"key{number}" for number in range(20)]
        house.say(*((name, number) for name in names for number in range(3)))
        house.settle()

        prune_a_day_later(bus_clock)

        registry.groups["house-b"] = slow
        house.restart()
        house.settle()
        assert len(house.seen("house-b")) == 60

    def test_a_slow_group_holds_back_its_topic_only(self, house: House, bus_clock) -> None:
        house.handler("house-a")
        house.say(*many())
        house.settle()
        Progress.objects.create(group="elsewhere", topic="orders", partition=0)
        ConsumerGroup.objects.create(name="elsewhere", created_at=clock.now())

        assert prune_a_day_later(bus_clock).events == 4

    def test_what_is_parked_or_dead_stays_and_can_be_handled_later(self, house: House, bus_clock) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("chair", 0), *many("vase", 3), *many("chair", 3))
        house.settle()
        assert places() == {"handled": 4, "dead": 1, "parked": 2}

        prune_a_day_later(bus_clock)

        assert kept("vase") == [1, 2, 3]
        assert places() == {"handled": 4, "dead": 1, "parked": 2}
        broken.names.clear()
        DeadLetter.objects.update(request="requeue")
        house.settle()
        assert house.seen(name="vase") == [1, 2, 3]
        assert places() == {"handled": 7}
        prune_a_day_later(bus_clock)
        assert places() == {"handled": 7}

    def test_what_is_skipped_stays_until_somebody_has_decided(self, house: House, bus_clock) -> None:
        house.handler(call=Mended("vase", error=Permanent("poison")), on_dead="skip")
        house.say(*many())
        house.settle()

        prune_a_day_later(bus_clock)

        assert kept() == [1, 2, 3, 4, 5]
        assert places() == {"skipped": 5}

    def test_what_is_younger_than_the_window_stays(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(*many())
        house.settle()
        bus_clock.advance(hours=20)
        house.say(("vase", 6), ("vase", 7))
        house.settle()
        bus_clock.advance(hours=5)

        Pruning(KEEP).go()

        assert kept() == [6, 7]

    def test_offsets_go_on_growing_after_everything_went_and_a_restart(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(*many())
        house.settle()
        end = OutboxRow.objects.aggregate(end=Max("offset"))["end"]
        prune_a_day_later(bus_clock)
        house.restart()

        house.say(("vase", 6))
        house.settle()

        assert OutboxRow.objects.aggregate(end=Max("offset"))["end"] == end + 1
        assert house.seen(name="vase") == [1, 2, 3, 4, 5, 6]
        assert places() == {"handled": 6}

    def test_what_went_cannot_come_again_though_the_inbox_has_forgotten_it(self, house: House, bus_clock) -> None:
        """The log is the table: what is gone from the one is gone from the other, in one transaction."""
        house.handler()
        house.say(*many())
        house.settle()
        prune_a_day_later(bus_clock)

        house.rewind()
        house.settle()

        assert house.seen() == many()

    def test_effects_that_are_done_go_with_their_event(self, house: House, bus_clock) -> None:
        house.effect("post", lambda event, **named: None, record=lambda *_: None, on_unknown_outcome="never")
        house.say(*many())
        house.settle()

        prune_a_day_later(bus_clock)

        assert Effect.objects.count() == 1
        assert places("post") == {"handled": 5}

    def test_a_death_in_the_middle_takes_nothing_and_the_next_run_all(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(*many())
        house.settle()

        for point in ("pruned", "prune.commit"):
            with armed(f"{point}=error"), pytest.raises(FailedHere):
                prune_a_day_later(bus_clock)
            assert kept() == [1, 2, 3, 4, 5]
            assert places() == {"handled": 5}

        prune_a_day_later(bus_clock)
        assert kept() == [5]
        assert places() == {"handled": 5}

    def test_many_batches_take_the_oldest_first(self, house: House, bus_clock, monkeypatch) -> None:
        monkeypatch.setattr(pruning, "BATCH_ROWS", 2)
        house.handler()
        house.say(*many(count=9))
        house.settle()
        bus_clock.advance(hours=25)
        steps: list[list[int]] = []
        stop = threading.Event()

        def told(pruned: Pruned) -> None:
            steps.append(kept())
            if len(steps) == 2:
                stop.set()

        Pruning(KEEP, told=told, stop=stop).go()
        assert steps == [[3, 4, 5, 6, 7, 8, 9], [5, 6, 7, 8, 9]]

        Pruning(KEEP).go()
        assert kept() == [9]
        assert places() == {"handled": 9}

    def test_a_dry_run_counts_and_takes_nothing(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(*many())
        house.settle()
        bus_clock.advance(hours=25)

        assert Pruning(KEEP, dry_run=True).go() == Pruned(events=4, inbox=4)

        assert kept() == [1, 2, 3, 4, 5]
        assert Pruning(KEEP).go() == Pruned(events=4, inbox=4)

    def test_where_the_ledger_does_not_balance_nothing_is_taken(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(*many())
        house.settle()
        InboxRow.objects.order_by("id")[0].delete()

        pruned = prune_a_day_later(bus_clock)

        assert (pruned.events, kept()) == (0, [1, 2, 3, 4, 5])
        assert "does not balance" in pruned.unbalanced[0]
        assert [one.what for one in delivery_audit.read().violations][0] == "lost (passed, and nowhere)"

    def test_it_balances_while_a_busy_site_is_pruned(self, house: House) -> None:
        noise(house)
        dispatcher = Dispatcher.start_in_process()
        done = threading.Event()
        runs: list[Pruned] = []

        def prune_on_and_on() -> None:
            while not done.is_set() or len(runs) < PRUNED_MIN:
                runs.append(Pruning(timedelta(0)).go())

        with contextlib.closing(dispatcher), threads(prune_on_and_on):
            try:
                with threads(*map(writer, range(WRITERS)), decide_about_the_dead) as busy:
                    while busy():
                        assert delivery_audit.problems(delivery_audit.read()) == []
                until(lambda: any(one.events for one in runs), "something is pruned")
            finally:
                done.set()
        house.settle()
        assert delivery_audit.problems(delivery_audit.read()) == []
        assert account().pending == 0

        assert sum(one.events for one in runs) > 0
        assert [one.unbalanced for one in runs if one.unbalanced] == []


# Promise 8: replays, groups that left the code, and a site that is left alone.


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
