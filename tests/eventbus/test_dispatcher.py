"""Relay and workers in one process: what they do when a thread dies, a partition is added or the process leaves."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from eventbus import backends, registry
from eventbus.backends.base import TopicPartition
from eventbus.database.leases import RELAY, Lease
from eventbus.errors import BusError, LogUnavailable
from eventbus.models import LeaseRow
from eventbus.processes.dispatcher import Dispatcher
from eventbus.progress import group_starts
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Noted
from tests.waiting import until

HAND_OVER_SECONDS = 20  # for what takes one at once on a machine with nothing else to do


@pytest.fixture
def dispatcher(house: House) -> Iterator[Dispatcher]:
    """A dispatcher that has not begun; it is closed at the end."""
    one = Dispatcher()
    yield one
    one.close()


def test_what_is_published_is_handled_and_the_lease_is_left_to_the_next(house: House, dispatcher: Dispatcher) -> None:
    house.handler()
    dispatcher.start()
    house.say(("vase", 1))
    until(house.seen, "the event handled")

    dispatcher.close()

    assert Lease(RELAY).acquire(), "the next one had to wait"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # that is what happens here
def test_a_group_whose_thread_ended_begins_anew(house: House, dispatcher: Dispatcher) -> None:
    deaths = []

    def leave_once(event: Noted) -> None:
        if not deaths:
            deaths.append(event)
            raise SystemExit  # ends a thread without a word

    house.handler(call=leave_once)
    dispatcher.start()

    house.say(("vase", 1))

    until(house.seen, "the event handled by a new thread")
    assert len(deaths) == 1


@pytest.fixture
def leaving(house: House, dispatcher: Dispatcher) -> Iterator[threading.Event]:
    """It is asked to leave while a call is in hand, which is answered once what this gives is set."""
    in_hand, finish = threading.Event(), threading.Event()

    def call_slowly(event: Noted, **named: str) -> None:
        in_hand.set()
        assert finish.wait(20)

    house.effect("post", call_slowly, record=lambda event, answer: None, on_unknown_outcome="never")
    dispatcher.start()
    house.say(("vase", 1))
    assert in_hand.wait(20)
    dispatcher.stop()
    yield finish
    finish.set()


def test_a_call_in_hand_keeps_the_lease_while_the_process_leaves(
    house: House, dispatcher: Dispatcher, leaving: threading.Event
) -> None:
    beat = LeaseRow.objects.get(name=RELAY).beat
    until(lambda: LeaseRow.objects.get(name=RELAY).beat > beat + 1, "beats while the call lasts")
    leaving.set()
    dispatcher.close()

    assert house.dead("post") == []
    assert house.offset("post") == 1


def with_its_log_away(house: House, asked: Callable[[], None]) -> Dispatcher:
    """A dispatcher that cannot reach the log when it begins; `asked` is called whenever it tries."""

    def partitions(topics: object) -> list[TopicPartition]:
        asked()
        raise LogUnavailable("the brokers do not answer")

    dispatcher = Dispatcher()
    dispatcher._backend = house.another_backend()
    dispatcher._backend.partitions = partitions  # type: ignore[method-assign]
    return dispatcher


def test_one_that_cannot_begin_leaves_the_lease_to_one_that_can(house: House, dispatcher: Dispatcher) -> None:
    tried = threading.Event()
    house.handler()
    with closing(with_its_log_away(house, tried.set)) as unable:
        unable.start()
        assert tried.wait(HAND_OVER_SECONDS)

        dispatcher.start()
        house.say(("vase", 1))

        until(house.seen, "the event handled by the other", seconds=HAND_OVER_SECONDS)


def test_partitions_are_not_taken_away_under_a_group(house: House, settings) -> None:
    settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 4}}
    house.handler()
    house.say(*((f"key{number}", number) for number in range(20)))
    house.relay()
    settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 1}}

    with pytest.raises(BusError, match="EVENTBUS_PARTITIONS"):
        group_starts.ensure(backends.current(), registry.groups.values())


def test_more_partitions_wait_until_groups_have_handled_what_lies_in_those_that_there_were(
    house: House, settings
) -> None:
    settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 1}}
    names = [f"key{number}" for number in range(20)]
    house.handler(batch=1)
    house.say(*((name, 1) for name in names))
    house.relay()
    settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 4}}
    house.restart()
    house.say(*((name, 2) for name in names))

    for attempt in (Relay(backends.current()).begin, Relay(backends.current()).step):
        with pytest.raises(BusError, match="set EVENTBUS_PARTITIONS back"):
            attempt()
    settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 1}}
    house.restart()
    house.settle()
    settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 4}}
    house.restart()
    Relay(backends.current()).begin()
    house.say(*((name, 3) for name in names))
    house.settle()

    assert {name: house.seen(name=name) for name in names} == dict.fromkeys(names, [1, 2, 3])
