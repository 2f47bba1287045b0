"""Promise 3: in order per key."""

import threading
import zlib
from contextlib import ExitStack

import pytest
from django.db import connections, transaction

from eventbus import publish
from eventbus.database.outbox_inserts import LOCK_SLOTS, ROWS_PER_STATEMENT
from eventbus.models import OutboxRow
from tests.eventbus.bus_app import House, Mended, Noted
from tests.eventbus.busy_site import threads, waiting
from tests.waiting import until


@pytest.mark.django_db(transaction=True)
class OrderPerKey:
    """Promise 3."""

    def test_each_key_is_heard_in_the_order_it_was_told(self, house: House) -> None:
        house.handler()
        for number in range(0, 60, 3):
            house.say(*((f"key{key}", number + step) for step in range(3) for key in range(5)))

        house.settle()

        for key in range(5):
            assert house.seen(name=f"key{key}") == list(range(60))

    def test_order_holds_through_retries(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken)
        house.say(*(("vase", number) for number in range(4)), ("chair", 0))
        house.settle()
        assert house.seen() == [("chair", 0)]
        house.say(("vase", 4))
        house.settle()

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen(name="vase") == [0, 1, 2, 3, 4]
        assert house.parked() == []

    def test_commit_order_decides_when_two_publish_to_one_key(self, house: House) -> None:
        house.handler()

        def second() -> None:
            house.say(("vase", 2))
            connections.close_all()

        thread = threading.Thread(target=second, daemon=True)
        with transaction.atomic():
            publish(Noted(name="vase", number=1))
            thread.start()
            until(waiting, "the second waits, however long we take")
            publish(Noted(name="vase", number=3))
        thread.join()
        house.settle()

        assert house.seen(name="vase") == [1, 3, 2]

    @pytest.mark.parametrize("events", [1, ROWS_PER_STATEMENT], ids=["one statement", "several statements"])
    def test_two_who_tell_of_the_same_keys_in_opposite_orders_both_get_through(self, house: House, events: int) -> None:
        gate, one, other = keys_by_lock(
            3
        )  # the gate's lock sorts first: who holds another before is caught in a circle
        there = [*((one, number) for number in range(events)), (gate, 0), (other, 0)]
        back = [*((other, number) for number in range(events)), (gate, 0), (one, 0)]

        with ExitStack() as both, transaction.atomic():
            house.say((gate, 1))  # holds the gate's lock until this transaction ends
            both.enter_context(threads(lambda: house.say(*there), lambda: house.say(*back)))
            until(lambda: waiting() == 2, "both wait at the gate, with all that they hold by then")

        assert OutboxRow.objects.count() == len(there) + len(back) + 1

    def test_commit_order_decides_not_the_clock(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(("vase", 1))
        bus_clock.advance(minutes=-5)  # as when a machine's clock is put right
        house.say(("vase", 2))

        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_sequence_grows_within_a_key(self, house: House) -> None:
        house.say(("vase", 1), ("chair", 1), ("vase", 2))
        house.relay()

        sequences = [record.attributes()["sequence"] for record in house.log() if record.key == "vase"]

        assert len(sequences) == 2
        assert sequences == sorted(set(sequences))


def keys_by_lock(count: int) -> list[str]:
    """Keys that share no lock, in the order of their locks."""
    found = {zlib.crc32(name.encode()) % LOCK_SLOTS: name for name in (f"key{number}" for number in range(10 * count))}
    return [found[slot] for slot in sorted(found)][:count]
