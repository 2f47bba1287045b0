"""A server that is the whole system ends: nothing is begun that a supervisor's patience would not see done."""

import threading
from collections.abc import Iterator

import pytest

from eventbus.processes.dispatcher import Dispatcher
from mcommerce.serving import background_threads
from tests.eventbus.bus_app import House, open_house
from tests.waiting import until

DEADLINE_SECONDS = 20  # for what ends within one or two on a machine with nothing else to do


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    with open_house() as house:
        yield house


class PollInHand:
    """Part of a server that has not ended before it is told to."""

    def __init__(self) -> None:
        self.closing, self.done = threading.Event(), threading.Event()

    def close(self) -> None:
        self.closing.set()
        assert self.done.wait(2 * DEADLINE_SECONDS)


def of_the_bus() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("eventbus-")]


def test_while_a_poll_in_hand_keeps_a_server_from_ending_its_bus_begins_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.handler()
    poller, bus = PollInHand(), Dispatcher.start_in_process()
    monkeypatch.setattr(background_threads, "_running", [("bus", bus), ("poller", poller)])
    house.say(("vase", 1))
    until(house.seen, "the event handled")
    ending = threading.Thread(target=background_threads.stop)

    ending.start()
    try:
        assert poller.closing.wait(DEADLINE_SECONDS)
        until(lambda: of_the_bus() == [], "the bus at rest", seconds=DEADLINE_SECONDS)
        house.say(("vase", 2))
        house.relay()  # by another process
    finally:
        poller.done.set()
        ending.join(2 * DEADLINE_SECONDS)

    assert not ending.is_alive()
    assert house.seen() == [("vase", 1)]
