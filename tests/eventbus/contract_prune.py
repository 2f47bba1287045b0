"""Promise 8, while what nobody needs any more is taken away."""

import contextlib
import threading
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import Max

from eventbus import Permanent, clock, publish, registry
from eventbus.audit import delivery_audit
from eventbus.failpoints import FailedHere, armed
from eventbus.models import ConsumerGroup, DeadLetter, Effect, InboxRow, OutboxRow, Progress
from eventbus.operations import pruning
from eventbus.operations.pruning import Pruned, Pruning
from eventbus.processes.dispatcher import Dispatcher
from eventbus.repairs.dead_letters import UNDO_DAYS
from tests.eventbus.bus_app import House, Mended, Unknown
from tests.eventbus.busy_site import (
    KEEP,
    WRITERS,
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
