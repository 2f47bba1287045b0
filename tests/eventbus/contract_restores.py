"""A database that is restored under a process that runs: what it remembers is not so any more."""

from datetime import timedelta

import pytest
from django.db import transaction

from eventbus import backends, clock, publish
from eventbus.database.leases import RELAY, Lease
from eventbus.errors import LeaseLost, StaleEpoch
from eventbus.models import Divergence, InboxRow, LeaseRow, OutboxRow, Progress, Timer
from eventbus.publishing.relay import Relay
from eventbus.recovery import divergence
from tests.eventbus.bus_app import House, Noted


@pytest.mark.django_db(transaction=True)
class TheDatabaseIsRestored:
    """Promises 1 and 2, where the database goes back."""

    def test_a_group_that_went_back_leaves_nothing_out(self, house: House) -> None:
        heard: list[int] = []
        house.handler(call=lambda event: transaction.on_commit(lambda: heard.append(event.number)))
        worker = house.worker()
        house.say(("vase", 1))
        house.relay()
        house.step(worker)
        before = {row.pk: row.offset for row in Progress.objects.filter(group="house-a")}
        house.say(("vase", 2))
        house.relay()
        house.step(worker)
        assert heard == [1, 2]

        InboxRow.objects.filter(event_id=OutboxRow.objects.latest("id").event_id).delete()
        for row_id, offset in before.items():
            Progress.objects.filter(id=row_id).update(offset=offset, handled=offset)
        house.say(("vase", 3))
        house.relay()
        with pytest.raises(StaleEpoch):
            house.step(worker)
        worker.leave()
        house.settle()

        assert heard == [1, 2, 2, 3]

    def test_a_relay_that_kept_the_lease_through_a_restore_appends_nothing(self, house: House) -> None:
        """Owner and epoch are the same in the backup; only the beat is an earlier one."""
        lease = Lease(RELAY)
        assert lease.acquire()
        relay = Relay(backends.current(), lease)
        before = LeaseRow.objects.get(name=RELAY).beat
        house.say(("vase", 1))
        relay.step()
        relay.step()

        LeaseRow.objects.filter(name=RELAY).update(beat=before)
        house.say(("vase", 2))
        with pytest.raises(LeaseLost, match="the database was restored"):
            relay.step()

        assert OutboxRow.objects.filter(offset=None).count() == 1

    def test_nothing_moves_while_database_and_log_tell_of_different_pasts(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()
        house.say(("vase", 2))
        with transaction.atomic():
            publish(Noted(name="egg", number=1), due=clock.now() - timedelta(seconds=1))

        divergence.stand_still(house.log()[0])
        house.settle()

        assert house.seen() == []
        assert (OutboxRow.objects.filter(offset=None).count(), Timer.objects.count()) == (1, 1)
        Divergence.objects.all().delete()
        house.restart()
        house.settle()
        assert sorted(house.seen()) == [("egg", 1), ("vase", 1), ("vase", 2)]
