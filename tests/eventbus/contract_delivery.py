"""Promise 1: nothing is lost, nothing is invented."""

import pytest
from django.db import transaction

from eventbus import publish
from eventbus.models import Progress
from tests.eventbus.bus_app import House, Noted, Sown, Unknown


@pytest.mark.django_db(transaction=True)
class NothingLostNothingInvented:
    """Promise 1."""

    def test_what_is_committed_is_heard_by_every_group(self, house: House) -> None:
        house.handler("house-a")
        house.handler("house-b")

        house.say(("vase", 1), ("chair", 2))
        house.settle()

        assert sorted(house.seen("house-a")) == sorted(house.seen("house-b")) == [("chair", 2), ("vase", 1)]

    def test_a_process_that_dies_after_appending_loses_nothing(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()

        house.restart()
        house.say(("vase", 2))
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_a_new_group_begins_at_the_end(self, house: House) -> None:
        house.handler("house-a")
        house.say(("vase", 1))
        house.settle()

        house.handler("house-b")
        house.restart()
        house.say(("vase", 2))
        house.settle()

        assert house.seen("house-a", "vase") == [1, 2]
        assert house.seen("house-b", "vase") == [2]

    def test_what_a_group_does_not_know_is_counted_not_dead(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Unknown(name="vase"), Noted(name="vase", number=1))

        house.settle()

        assert house.seen(name="vase") == [1]
        assert sum(Progress.objects.filter(group="house-a").values_list("ignored", flat=True)) == 1
        assert house.dead() == []

    def test_a_group_that_hears_of_a_new_topic_begins_there_at_its_end(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        sow(1)
        house.relay()

        house.handler(on=Sown)
        house.say(("vase", 2))
        sow(2)
        house.settle()

        assert sorted(house.seen()) == [("vase", 1), ("vase", 2), ("weed", 2)]


def sow(number: int) -> None:
    with transaction.atomic():
        publish(Sown(name="weed", number=number))
