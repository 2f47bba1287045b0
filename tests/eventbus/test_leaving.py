"""A worker that leaves says so where it can; where it cannot it leaves all the same, and stops nobody."""

import threading
from typing import Any, NoReturn

import pytest
from django.db import InterfaceError, connection
from django.db.models import F

from eventbus.consuming.worker import Worker
from eventbus.database.leases import RELAY, Lease
from eventbus.failpoints import armed
from eventbus.models import Progress
from eventbus.processes.dispatcher import Dispatcher
from tests.eventbus.bus_app import House, Noted
from tests.waiting import until

GROUPS = ("house-a", "house-b", "house-c")


def asked_to_leave(house: House, error: Exception | None = None) -> Worker:
    """A worker that is asked to leave while it handles its first event, which is then done or fails."""
    stop = threading.Event()

    def leave(event: Noted) -> None:
        stop.set()
        if error is not None:
            raise error

    house.handler(call=leave)
    house.say(("ada", 1))
    house.relay()
    return house.worker(stop=stop)


@pytest.mark.parametrize("point", ["groups.release.commit", "groups.release.committed"])
@pytest.mark.parametrize("way", ["break", "error"])
def test_a_worker_that_cannot_say_that_it_leaves_is_gone_and_the_next_goes_on(
    house: House, point: str, way: str
) -> None:
    worker = asked_to_leave(house)

    with armed(f"{point}={way}") as plan:
        worker.run()
        worker.close()
    assert plan.fired(point)

    house.restart()
    house.say(("ada", 2))
    house.settle()
    assert (house.seen(), house.dead()) == ([("ada", 1), ("ada", 2)], [])


def test_a_worker_whose_connection_was_closed_leaves_its_partitions_to_others(house: House) -> None:
    def closed(*statement: Any) -> NoReturn:
        raise InterfaceError("the connection is closed")

    worker = asked_to_leave(house, InterfaceError("the connection breaks"))
    worker.run()
    assert worker.partitions() != []

    with connection.execute_wrapper(closed):
        worker.close()

    assert worker.partitions() == []


def test_a_group_that_cannot_say_that_it_leaves_keeps_no_other_from_it_nor_the_lease(house: House) -> None:
    for name in GROUPS:
        house.handler(name)
    dispatcher = Dispatcher()
    dispatcher.start()
    house.say(("ada", 1))
    until(lambda: all(house.seen(name) for name in GROUPS), "all have handled it")

    with armed("groups.release.commit=error"):
        dispatcher.close()

    in_order = Progress.objects.filter(offset__gt=0, released=F("epoch"))
    assert in_order.count() == len(GROUPS) - 1
    assert Lease(RELAY).acquire(), "the next one had to wait"
