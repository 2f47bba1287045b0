"""Skips: what was counted is skipped, nothing is lost, and all can be undone."""

import contextlib
import threading
from datetime import timedelta

import pytest
from django.db import transaction

from eventbus import Permanent, clock, publish
from eventbus.backends.base import TopicPartition
from eventbus.models import BulkRun, DeadLetter, InboxRow, OperatorAction, OutboxRow, Progress
from eventbus.operations import pausing
from eventbus.operations.pruning import Pruning
from eventbus.processes.dispatcher import Dispatcher
from eventbus.repairs import dead_letters, skipping
from eventbus.repairs.skipping import SkipRefused
from eventbus.selections import skips
from tests.eventbus.bus_app import House, Mended, Noted, Unknown
from tests.eventbus.busy_site import KEEP, kept, many, places, prune_a_day_later, waiting
from tests.eventbus.replay_steps import in_thread
from tests.eventbus.skip_steps import frozen, paused_with, resumed, row, skipped
from tests.waiting import DEADLINE_SECONDS, until

# Waiting events that an operator has a group skip: counted first, then discarded, and brought back by an undo.

KEYS = tuple(f"key-{number}" for number in range(12))  # enough for several partitions


@pytest.mark.django_db(transaction=True)
class ASkipIsWhatWasCounted:
    """Exactly the counted events are discarded, in one transaction; everything else is handled."""

    def test_waiting_events_are_skipped_as_counted_and_later_ones_are_handled(self, house: House) -> None:
        house.handler()
        house.say(("vase", 0))
        house.settle()
        paused_with(house, *((key, 1) for key in KEYS))
        with transaction.atomic():
            publish(Unknown(name="key-1"))
        house.settle()

        run = frozen()
        assert (run.total, places()["pending"]) == (len(KEYS), len(KEYS) + 1)
        skips.begin(run, "ada")
        house.say(*((key, 2) for key in KEYS))
        resumed(house)

        assert sorted(house.seen()) == sorted([("vase", 0), *((key, 2) for key in KEYS)])
        counted = {name: count for name, count in places().items() if name != "ignored"}
        assert counted == {"handled": 1 + len(KEYS), "discarded": len(KEYS)}
        assert places()["ignored"] == 1
        assert sum(one.events for one in skips.stretches(run)) == len(KEYS)

    def test_each_event_and_the_number_are_in_the_trail(self, house: House) -> None:
        house.handler()
        paused_with(house, *many("vase", 3))
        OperatorAction.objects.all().delete()

        run = skipped()

        first, *others = OperatorAction.objects.order_by("id")
        assert (first.who, first.action, first.count, first.selection) == ("ada", "skip", 3, run.pk)
        assert {action.decision for action in others} == {first.pk} == {run.decision}
        assert [action.event_id for action in others] == [letter.event_id for letter in house.dead()]

    def test_a_chosen_partition_is_skipped_up_to_the_offset(self, house: House) -> None:
        house.handler()
        paused_with(house, *((key, number) for number in range(3) for key in KEYS))
        chosen = OutboxRow.objects.filter(offset=2).order_by("partition")[0].partition
        left = OutboxRow.objects.filter(partition=chosen, offset__lt=2)
        expected = {(one.key, bytes(one.payload)) for one in left}

        skipped(partitions=[TopicPartition("house", chosen)], offset=2)
        resumed(house)

        assert {(letter.key, bytes(letter.payload)) for letter in house.dead()} == expected
        assert places() == {"handled": 3 * len(KEYS) - 2, "discarded": 2}

    def test_a_time_skips_what_was_published_before(self, house: House) -> None:
        house.handler()
        paused_with(house, *many("vase", 3))
        OutboxRow.objects.filter(offset__lt=2, key="vase").update(created_at=clock.now() - timedelta(hours=1))

        skipped(time=clock.now() - timedelta(minutes=1))
        resumed(house)

        assert house.seen(name="vase") == [3]

    def test_a_skip_whose_number_has_changed_is_asked_for_again(self, house: House) -> None:
        house.handler()
        paused_with(house, *many("vase", 2))
        house.say(("chair", 1))
        house.settle()
        run = frozen()
        Progress.objects.filter(group="house-a", offset=0, partition=partition_of("vase")).update(offset=1, handled=0)

        with pytest.raises(SkipRefused, match="numbers have changed"):
            skips.begin(run, "ada")

        assert (run.state, run.total, house.dead()) == ("frozen", 2, [])
        skips.begin(run, "ada")
        assert len(house.dead()) == 2

    def test_an_error_in_the_middle_skips_nothing(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        house.handler()
        paused_with(house, *((key, 1) for key in KEYS))
        run, right, calls = frozen(), skipping.skip, []

        def break_second(*given: object) -> None:
            calls.append(given)
            if len(calls) == 2:
                raise ValueError("broken")
            right(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(skipping, "skip", break_second)
        with pytest.raises(ValueError, match="broken"):
            skips.begin(run, "ada")
        resumed(house)

        assert places() == {"handled": len(KEYS)}

    def test_more_than_can_be_undone_at_once_is_done_in_parts(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(skipping, "SKIPPED_MAX", 3)
        house.handler()
        paused_with(house, *many("vase", 5))

        with pytest.raises(SkipRefused, match="more than 3 events.*only up to offset 3"):
            frozen()
        skipped(offset=3)
        skipped()
        resumed(house)

        assert places() == {"discarded": 5}


def partition_of(key: str) -> int:
    return OutboxRow.objects.filter(key=key).values_list("partition", flat=True)[0] or 0


# A skip is undone like a discard, and loses nothing that handlers and effects have in hand.

TURNS = 8  # of pause, skip and resume, of each of two groups, while a dispatcher works


def undo(run: BulkRun, house: House) -> None:
    run.refresh_from_db()
    letters = dead_letters.discarded(run.decision or 0).values_list("id", flat=True)
    dead_letters.decide(letters, DeadLetter.Request.RESTORE, "grace")
    house.settle()


@pytest.mark.django_db(transaction=True)
class ASkipLosesNothing:
    """A skip is undone like a discard, and waits for all that is under way."""

    def test_an_undo_has_all_of_them_handled(self, house: House) -> None:
        house.handler()
        paused_with(house, *((key, number) for number in range(2) for key in KEYS))
        run = skipped()
        resumed(house)
        assert places() == {"discarded": 2 * len(KEYS)}

        undo(run, house)

        assert house.seen(name="key-5") == [0, 1]
        assert places() == {"handled": 2 * len(KEYS)}

    def test_a_skip_is_pruned_after_a_week_and_the_audit_still_counts_it(self, house: House, bus_clock) -> None:
        house.handler()
        paused_with(house, *many("vase", 5))
        run = skipped()
        resumed(house)
        bus_clock.advance(days=dead_letters.UNDO_DAYS - 1, hours=1)
        Pruning(KEEP).go()
        assert dead_letters.discarded(run.decision or 0).count() == 5

        house.say(("vase", 6))
        house.settle()
        prune_a_day_later(bus_clock)

        assert not DeadLetter.objects.exists()
        assert (kept(), places()) == ([6], {"handled": 1, "discarded": 5})

    def test_events_of_a_parked_key_are_skipped_too_and_come_back_behind_it(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("vase", 1))
        house.settle()
        paused_with(house, ("vase", 2), ("chair", 1))
        run = skipped()
        resumed(house)
        assert places() == {"dead": 1, "discarded": 2}

        undo(run, house)
        assert places() == {"dead": 1, "parked": 1, "handled": 1}
        broken.names.clear()
        dead_letters.decide([house.dead()[0].pk], DeadLetter.Request.REQUEUE, "grace")
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_a_group_that_flows_is_not_skipped(self, house: House) -> None:
        house.handler()
        paused_with(house, *many("vase", 2))
        run = frozen()
        pausing.resume(row(), "ada")

        with pytest.raises(SkipRefused, match="Pause group house-a first"):
            skips.begin(run, "ada")
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_a_worker_drops_what_it_has_in_hand_of_them(self, house: House) -> None:
        def skip_the_others() -> None:
            pausing.pause(row(), "ada")
            skipped(offset=3)
            pausing.resume(row(), "ada")

        def record(event: Noted, answer: object) -> None:
            house.write("house-a", event)
            if event.number == 1:
                transaction.on_commit(skip_the_others)

        house.effect(record=record, on_unknown_outcome="never")
        house.say(*many("vase", 4))
        house.settle()

        assert house.seen(name="vase") == [1, 4]
        assert places() == {"handled": 2, "discarded": 2}

    def test_an_effect_that_may_have_happened_is_not_skipped(self, house: House) -> None:
        refused: list[str] = []

        def skip(event: Noted, **named: object) -> None:
            pausing.pause(row(), "ada")
            with pytest.raises(SkipRefused) as error:
                skipped()
            refused.append(str(error.value))

        house.effect("house-a", skip, record=house.recording("house-a"), on_unknown_outcome="never")
        house.say(("vase", 1))
        house.settle()

        assert "may have happened already" in refused[0]
        assert house.seen(name="vase") == [1]
        assert places() == {"handled": 1}

    def test_skips_of_busy_groups_leave_each_event_handled_or_discarded_and_never_both(self, house: House) -> None:
        house.handler("house-a")
        house.effect("house-b", record=house.recording("house-b"), on_unknown_outcome="never")
        with contextlib.closing(Dispatcher.start_in_process()):
            for turn in range(TURNS):
                for name in ("house-a", "house-b"):
                    house.say(*((key, turn) for key in KEYS))  # some of them are in hand when the group is paused
                    skip_what_waits(house, name, turn)
        house.settle()

        said = set(OutboxRow.objects.values_list("event_id", flat=True))
        for name in ("house-a", "house-b"):
            handled = set(InboxRow.objects.filter(group=name).values_list("event_id", flat=True))
            discarded = {letter.event_id for letter in house.dead(name)}
            assert (handled & discarded, handled | discarded) == (set(), said)
            assert len(house.seen(name)) == len(handled)
            assert places(name) == {"handled": len(handled), "discarded": len(discarded)}
            assert len(discarded) >= TURNS

    def test_a_skip_waits_for_the_handler_that_runs_and_then_leaves_its_event(self, house: House) -> None:
        in_hand, go_on, refused = threading.Event(), threading.Event(), []

        def wait(event: Noted) -> None:
            in_hand.set()
            assert go_on.wait(DEADLINE_SECONDS)

        def skip() -> None:
            pausing.pause(row(), "ada")  # on SQLite already this waits
            try:
                skipped()
            except SkipRefused as error:
                refused.append(str(error))

        house.handler(call=wait)
        house.say(("vase", 1))
        house.relay()
        with house.working():
            assert in_hand.wait(DEADLINE_SECONDS)
            skipping_thread = in_thread(skip)
            until(lambda: waiting() or not skipping_thread.is_alive(), "the skip waits, or did not and is done")
            go_on.set()
            skipping_thread.join(DEADLINE_SECONDS)

        assert (len(refused), house.seen(name="vase"), places()) == (1, [1], {"handled": 1})

    def test_only_who_saw_the_number_says_yes_and_once(self, house: House) -> None:
        house.handler()
        paused_with(house, *many("vase", 2))
        run = frozen()

        with pytest.raises(SkipRefused, match="another operator"):
            skips.begin(run, "grace")
        skips.begin(run, "ada")
        with pytest.raises(SkipRefused, match="begun already"):
            skips.begin(run, "ada")

        assert len(house.dead()) == 2

    def test_nothing_that_waits_is_no_skip(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.settle()

        with pytest.raises(SkipRefused, match="Nothing to skip"):
            frozen()

        assert not BulkRun.objects.exists()


def skip_what_waits(house: House, name: str, turn: int) -> None:
    """Pause a group, skip what waits for it by the time that one more event is in the log, and let the group go on."""

    def skipped() -> bool:
        try:
            skips.begin(frozen(name), "ada")
        except SkipRefused:  # an effect, or a batch that the pause lets finish, is in hand
            return False
        return True

    pausing.pause(row(name), "ada")
    [event] = house.say((f"turn-{turn}", turn))
    until(lambda: OutboxRow.objects.filter(event_id=event, offset__isnull=False).exists(), "the event is in the log")
    until(skipped, "a skip")
    pausing.resume(row(name), "ada")
