"""A transaction that has told of a key and stays open holds up that key's delayed events, and nobody else's."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction

from eventbus import backends, publish
from eventbus.database.leases import Lease
from eventbus.models import LeaseRow, OutboxRow, Timer
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.busy_site import threads
from tests.waiting import DEADLINE_SECONDS, until

pytestmark = pytest.mark.postgresql(only=True)


@contextmanager
def telling(house: House, *notes: tuple[str, int]) -> Iterator[None]:
    """Another connection tells of these, and commits no earlier than this ends."""
    told, finish = threading.Event(), threading.Event()

    def tell() -> None:
        with transaction.atomic():
            house.say(*notes)
            told.set()
            assert finish.wait(DEADLINE_SECONDS)

    with threads(tell):
        assert told.wait(DEADLINE_SECONDS)
        try:
            yield
        finally:
            finish.set()


def patience_seconds() -> float:
    """How long a statement of ours waits for a lock if nothing else is asked for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM current_setting('lock_timeout')::interval)")
        return float(cursor.fetchone()[0])


def test_a_delayed_event_whose_key_another_holds_keeps_no_other_event_waiting(house: House, bus_clock: Any) -> None:
    house.handler()
    lease = Lease("dispatcher")
    assert lease.acquire()
    relay = Relay(backends.current(), lease)
    house.say(("stool", 1))
    relay.step()  # beats more often than later ones: it looks at the log of a topic that it has not met
    with transaction.atomic():
        publish(Noted(name="vase", number=2), due=bus_clock.now())
    before = LeaseRow.objects.get().beat
    appending = mock.patch.object(relay, "_backend", wraps=relay._backend)

    with telling(house, ("vase", 1)), appending as backend:
        house.say(("chair", 1))
        beats: list[int] = []
        backend.append.side_effect = lambda *_: beats.append(LeaseRow.objects.get().beat) or mock.DEFAULT
        began = time.monotonic()
        relay.step()
        assert beats == [before + 1], "it may append for as long again: it has beaten in between"
        assert time.monotonic() - began < patience_seconds(), "the others waited as long as one waits at all"
        assert list(OutboxRow.objects.filter(offset__isnull=False).order_by("id").values_list("key", flat=True)) == [
            "stool",
            "chair",
        ]
        assert Timer.objects.count() == 1
    until(lambda: [relay.step(), Timer.objects.exists()][1] is False, "the delayed event published")
    house.settle()

    assert house.seen(name="vase") == [1, 2]
    assert house.seen(name="chair") == [1]
