"""Waiting events that an operator has a group skip: counted first, then discarded, and brought back by an undo."""

from datetime import timedelta

import pytest
from django.db import transaction

from eventbus import clock, publish
from eventbus.backends.base import TopicPartition
from eventbus.models import OperatorAction, OutboxRow, Progress
from eventbus.repairs import skipping
from eventbus.repairs.skipping import SkipRefused
from eventbus.selections import skips
from tests.eventbus.bus_app import House, Unknown
from tests.eventbus.busy_site import many, places
from tests.eventbus.skip_steps import frozen, paused_with, resumed, skipped

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

    def test_a_skip_leaves_what_comes_after_its_dry_run(self, house: House) -> None:
        house.handler()
        paused_with(house, *many("vase", 2))
        run = frozen()
        house.say(("vase", 3))
        house.settle()

        skips.begin(run, "ada")
        resumed(house)

        assert house.seen(name="vase") == [3]

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
