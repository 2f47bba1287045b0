"""Promise 1: what was committed goes to the log, what is delayed at its time, by one relay."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from eventbus import backends, publish
from eventbus.audit import delivery_audit
from eventbus.database.leases import Lease
from eventbus.errors import LeaseLost
from eventbus.failpoints import FailedHere, armed
from eventbus.models import LeaseRow, OutboxRow, Timer
from eventbus.publishing import rejected_records
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.busy_site import prune_a_day_later


@pytest.mark.django_db(transaction=True)
class RelayedInOrder:
    """Promises 1 and 3."""

    def test_a_delayed_event_is_heard_at_its_time_and_not_before(self, house: House, bus_clock) -> None:
        house.handler()
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now() + timedelta(minutes=10))
        house.settle()
        assert house.seen() == []

        bus_clock.advance(minutes=11)
        house.settle()

        assert house.seen(name="vase") == [1]

    def test_a_later_event_waits_for_its_own_time_when_another_is_due(self, house: House, bus_clock) -> None:
        house.handler()
        with transaction.atomic():
            for number, minutes in ((2, 20), (1, 10)):
                publish(Noted(name="vase", number=number), due=bus_clock.now() + timedelta(minutes=minutes))

        bus_clock.advance(minutes=11)
        house.settle()
        assert house.seen(name="vase") == [1]
        assert Timer.objects.count() == 1

        bus_clock.advance(minutes=10)
        house.settle()

        assert house.seen(name="vase") == [1, 2]
        assert not Timer.objects.exists()

    def test_what_is_due_comes_in_the_order_of_its_times(self, house: House, bus_clock) -> None:
        house.handler()
        with transaction.atomic():
            for number, minutes in ((2, 20), (1, 10)):
                publish(Noted(name="vase", number=number), due=bus_clock.now() + timedelta(minutes=minutes))

        bus_clock.advance(minutes=30)
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_a_relay_writes_nothing_while_timers_only_wait(self, house: House, bus_clock) -> None:
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now() + timedelta(minutes=10))

        with CaptureQueriesContext(connection) as queries:
            house.relay()

        assert {query["sql"].split()[0] for query in queries} == {"SELECT"}

    @pytest.mark.parametrize("point", ["timers.gone", "timers.commit", "timers.committed"])
    def test_a_delayed_event_comes_once_wherever_the_relay_dies(self, house: House, bus_clock, point: str) -> None:
        house.handler()
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now())

        with armed(f"{point}=error"), pytest.raises(FailedHere):
            house.relay()
        house.restart()
        house.settle()

        assert house.seen(name="vase") == [1]
        assert not Timer.objects.exists()
        assert OutboxRow.objects.filter(key="vase").count() == 1, "foreign readers of the log drop no repeats"

    def test_a_delayed_event_of_a_rolled_back_transaction_never_comes(self, house: House, bus_clock) -> None:
        house.handler()
        with pytest.raises(IntegrityError), transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now())
            raise IntegrityError

        bus_clock.advance(minutes=1)
        house.settle()

        assert house.seen() == []

    def test_a_relay_that_has_lost_its_lease_appends_nothing(self, house: House) -> None:
        house.say(("vase", 1))

        with pytest.raises(LeaseLost):
            Relay(backends.current(), lost_lease()).step()

        assert not OutboxRow.objects.filter(offset__isnull=False).exists()

    def test_a_relay_that_has_lost_its_lease_publishes_nothing_that_is_due(self, house: House, bus_clock) -> None:
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now())

        with pytest.raises(LeaseLost):
            Relay(backends.current(), lost_lease()).step()

        assert Timer.objects.count() == 1
        assert not OutboxRow.objects.exists()

    def test_what_the_log_rejected_keeps_nobody_waiting(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1), ("chair", 1))
        OutboxRow.objects.filter(key="vase").update(rejected="too large")

        house.settle()

        assert house.seen() == [("chair", 1)]
        assert OutboxRow.objects.get(key="vase").offset is None

    def test_what_the_log_rejected_is_not_overtaken_by_later_events_of_its_key(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        OutboxRow.objects.update(rejected="too large")
        house.say(("vase", 2), ("chair", 1))
        house.settle()
        assert house.seen() == [("chair", 1)]

        rejected_records.resend(OutboxRow.objects.get(rejected="too large"), "Ada")
        house.say(("vase", 3))
        house.settle()

        assert house.seen(name="vase") == [1, 2, 3]

    def test_without_what_was_withdrawn_its_key_goes_on(self, house: House, bus_clock: Any) -> None:
        house.handler()
        house.say(("vase", 1))
        OutboxRow.objects.update(rejected="too large")
        house.say(("vase", 2), ("vase", 3))
        house.settle()
        assert house.seen() == []

        rejected_records.withdraw(OutboxRow.objects.get(rejected="too large"), "Ada")
        house.settle()

        assert house.seen(name="vase") == [2, 3]
        assert delivery_audit.problems(delivery_audit.read()) == []
        assert OutboxRow.objects.get(offset=None).key == "vase", "it stays to be read"
        prune_a_day_later(bus_clock)
        assert not OutboxRow.objects.filter(offset=None).exists()


def lost_lease() -> Lease:
    """A lease whose owner was held up while another took it over."""
    lease = Lease("post")
    assert lease.acquire()
    LeaseRow.objects.filter(name="post").update(owner="the next one", epoch=F("epoch") + 1)
    return lease
