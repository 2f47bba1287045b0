"""Promise 8: what is wrong is named, with its events."""

import pytest
from django.db import transaction
from django.db.models import F

from eventbus import clock, publish, registry
from eventbus.audit import delivery_audit
from eventbus.audit.delivery_audit import Violation
from eventbus.models import InboxRow, OutboxRow, ParkedEvent, Progress
from tests.eventbus.bus_app import House, Mended, Unknown
from tests.eventbus.busy_site import account


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
