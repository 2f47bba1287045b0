"""Promise 2: handled once."""

from uuid import UUID

import pytest
from django.db.models import F

from eventbus import Permanent, backends, clock, registry, testing
from eventbus.consuming.worker import Worker
from eventbus.database.leases import Lease
from eventbus.errors import LeaseLost
from eventbus.models import InboxRow, LeaseRow, ParkedEvent
from eventbus.progress import inbox
from tests.eventbus.bus_app import House, Mended, Noted
from tests.eventbus.busy_site import places
from tests.waiting import until


@pytest.mark.django_db(transaction=True)
class HandledOnce:
    """Promise 2."""

    def test_a_log_that_comes_again_is_handled_once(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1), ("vase", 2))
        house.settle()

        house.rewind()
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_what_a_handler_wrote_before_it_failed_was_never_written(self, house: House, bus_clock) -> None:
        attempts = []

        def write_then_fail_once(event: Noted) -> None:
            house.write("half", event)
            attempts.append(event.number)
            if len(attempts) == 1:
                raise ValueError("after the write")

        house.handler(call=write_then_fail_once)
        house.say(("vase", 1))
        house.settle()
        bus_clock.advance(hours=1)
        house.settle()

        assert attempts == [1, 1]
        assert house.seen("half") == [("vase", 1)]
        assert house.seen() == [("vase", 1)]

    def test_a_batch_that_fails_in_the_middle_is_handled_one_by_one(self, house: House) -> None:
        broken = Mended("bad")
        house.handler(call=broken)
        house.say(("warm", 0))
        house.settle()  # the first batch after a start is careful anyway

        house.say(*((name, number) for number in range(5) for name in ("good", "bad")))
        house.settle()

        assert house.seen(name="good") == [0, 1, 2, 3, 4]
        assert InboxRow.objects.filter(group="house-a").count() == 6

    def test_a_worker_whose_lease_was_lost_takes_nothing_over(self, house: House) -> None:
        house.handler()
        lost = Lease("post")
        assert lost.acquire()
        LeaseRow.objects.filter(name="post").update(owner="the next one", epoch=F("epoch") + 1)
        owner = Worker(registry.groups["house-a"], backends.current())
        house.step(owner)
        house.say(("vase", 1))
        house.relay()

        late = Worker(registry.groups["house-a"], backends.current(), fence=lost.check)
        with pytest.raises(LeaseLost):
            house.step(late)
        late.leave()
        until(lambda: house.step(owner), "its owner handles it")

        assert house.seen(name="vase") == [1]

    def test_a_log_that_comes_again_finds_what_is_parked(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken)
        house.say(("vase", 1), ("vase", 2))
        house.settle()

        house.rewind()
        house.settle(raise_errors=True)
        assert ParkedEvent.objects.count() == 2

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()
        assert house.seen(name="vase") == [1, 2]

    def test_a_log_that_comes_again_finds_what_is_dead(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("vase", 1))
        house.settle()

        house.rewind()
        house.settle(raise_errors=True)

        assert (broken.calls, len(house.dead()), ParkedEvent.objects.count()) == (1, 1, 0)

    def test_what_was_handled_after_a_worker_had_looked_is_not_handled_again(self, house: House, monkeypatch) -> None:
        """Its look at the inbox was too early: then only the row itself stands against handling it twice."""
        house.handler()
        house.say(("vase", 1), ("vase", 2))
        testing.settle()  # no faults here: it cuts batches as it likes
        house.rewind()
        early: list[set[UUID]] = [set()]
        known = inbox.known
        monkeypatch.setattr(inbox, "known", lambda *asked, **run: early.pop() if early else known(*asked, **run))

        testing.settle(raise_errors=False)

        assert early == []
        assert house.seen(name="vase") == [1, 2]
        assert places() == {"handled": 2}
        assert (house.parked(), house.dead()) == ([], [])

    def test_what_was_handled_while_it_was_parked_is_not_handled_again(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken)
        [event_id] = house.say(("vase", 1))
        house.settle()
        InboxRow.objects.create(group="house-a", event_id=event_id, handled_at=clock.now())

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen() == [], "what its handler wrote is rolled back"
        assert house.parked() == ["vase"], "an operator can see that it lies in two places"

    def test_an_event_that_comes_twice_in_one_batch_is_handled_once(self, house: House, monkeypatch) -> None:
        heard: list[int] = []
        house.handler(call=lambda event: heard.append(event.number))
        house.say(("vase", 0))
        house.settle()  # the first batch after a start is handled one by one
        house.say(("vase", 1), ("vase", 2))

        consumer = type(backends.current().consumer([Noted.topic]))
        fetch = consumer.fetch
        monkeypatch.setattr(consumer, "fetch", lambda self, count: [one for one in fetch(self, count) for _ in "ab"])
        house.settle(raise_errors=True)

        assert heard == [0, 1, 2]
        assert house.seen(name="vase") == [0, 1, 2]

    def test_two_handlers_of_a_group_both_handle_an_event_or_neither(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler()
        house.handler(call=broken)
        house.say(("vase", 1))
        house.settle()
        assert house.seen() == []

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen() == [("vase", 1), ("vase", 1)]
