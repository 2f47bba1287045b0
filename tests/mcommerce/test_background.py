"""A server that is the whole system ends: nothing is begun that a supervisor's patience would not see done."""

import threading
from collections.abc import Iterator

import pytest

from eventbus.processes.dispatcher import Dispatcher
from eventbus.tracing import switch
from mcommerce.serving import background_threads
from tests.eventbus.bus_app import House, open_house
from tests.eventbus.bus_app_on_kafka import open_house_on_kafka
from tests.waiting import until

DEADLINE_SECONDS = 20  # for what ends within one or two on a machine with nothing else to do


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def house(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[House]:
    if request.param == "memory":
        with open_house() as house:
            yield house
        return
    with open_house_on_kafka(request.getfixturevalue("kafka")) as house:
        yield house


class PollInHand:
    """Part of a server that has not ended before it is told to."""

    def __init__(self) -> None:
        self.closing, self.done = threading.Event(), threading.Event()

    def close(self) -> None:
        self.closing.set()
        assert self.done.wait(2 * DEADLINE_SECONDS)


class Sender:
    """Holds the spans of this process."""

    def __init__(self, ended: list[str]) -> None:
        self._ended = ended

    def shutdown(self) -> None:
        self._ended.append("spans")


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


def test_the_spans_of_what_finishes_last_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A uvicorn ends without Python's exit hooks."""
    ended: list[str] = []
    poller = PollInHand()
    monkeypatch.setattr(poller, "close", lambda: ended.append("poller"))
    monkeypatch.setattr(switch, "_provider", Sender(ended))
    monkeypatch.setattr(background_threads, "_running", [("poller", poller)])

    background_threads.stop()

    assert ended == ["poller", "spans"]
