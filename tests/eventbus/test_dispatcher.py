"""Relay and workers in one process: what they do when a thread dies, a partition is added or the process leaves."""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing

import pytest

from eventbus import backends, registry
from eventbus.backends.base import TopicPartition
from eventbus.database.leases import RELAY, Lease
from eventbus.errors import BusError, LogUnavailable
from eventbus.failpoints import armed
from eventbus.models import LeaseRow, Progress
from eventbus.operations import status
from eventbus.processes.dispatcher import BROKEN_SECONDS, Dispatcher
from eventbus.progress import group_starts
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.test_commands import run
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


def test_a_connection_that_breaks_while_the_process_leaves_ends_no_call_and_leaves_the_lease(
    house: House, dispatcher: Dispatcher, leaving: threading.Event
) -> None:
    with armed("lease.beat.commit=break@2") as plan:  # the first may be the relay's last
        until(lambda: plan.fired("lease.beat.commit"), "the connection breaks")
        leaving.set()
        dispatcher.close()

    assert (house.dead("post"), house.offset("post")) == ([], 1)
    assert Lease(RELAY).acquire(), "the next one had to wait"


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


def test_one_that_cannot_begin_is_seen_to_try(house: House) -> None:
    tries = threading.Semaphore(0)
    house.handler()
    with closing(with_its_log_away(house, tries.release)) as unable:
        unable.start()
        assert tries.acquire(timeout=HAND_OVER_SECONDS)

        assert "dispatched: yes" in run("eventbus", "status", "--no-audit")[1]

    assert not status.is_dispatched()


def test_one_that_is_stopped_while_it_begins_leaves_the_lease_to_the_next(house: House) -> None:
    in_hand, woken = threading.Event(), threading.Event()

    def wait_for_the_brokers() -> None:
        in_hand.set()
        assert woken.wait(HAND_OVER_SECONDS)

    house.handler()
    unable = with_its_log_away(house, wait_for_the_brokers)
    unable._backend.wake = woken.set  # type: ignore[method-assign]
    unable.start()
    assert in_hand.wait(HAND_OVER_SECONDS)

    unable.close()

    assert Lease(RELAY).acquire(), "the next one had to wait"


def test_while_the_log_is_away_for_all_each_tries_now_and_then(house: House) -> None:
    tries: dict[str, list[float]] = {"a": [], "b": []}
    house.handler()
    with ExitStack() as stack:
        for times in tries.values():
            unable = with_its_log_away(house, lambda times=times: times.append(time.monotonic()))
            stack.enter_context(closing(unable)).start()
        until(lambda: all(len(times) > 2 for times in tries.values()), "both have tried", seconds=HAND_OVER_SECONDS)

    pauses = [later - sooner for times in tries.values() for sooner, later in zip(times, times[1:], strict=False)]
    assert min(pauses) >= BROKEN_SECONDS / 2


def test_a_database_that_breaks_when_the_lease_is_left_hides_no_first_error(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []
    house.handler()
    with armed("lease.release.commit=break"), closing(with_its_log_away(house, lambda: tries.append(1))) as unable:
        unable.start()
        until(lambda: len(tries) > 1, "it tries again", seconds=HAND_OVER_SECONDS)

    assert (
        "The dispatcher cannot begin, and tries again in" in caplog.text and "the brokers do not answer" in caplog.text
    )
    assert Lease(RELAY).acquire(), "the next one had to wait"


def test_nothing_is_lost_when_partitions_are_added(house: House, settings) -> None:
    settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 1}}
    house.handler()
    house.say(*((f"key{number}", number) for number in range(20)))
    settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 4}}
    house.restart()
    house.relay()  # faster than the group

    house.settle()

    assert len(house.seen()) == 20


def test_a_partition_that_another_process_did_not_see_yet_begins_at_its_start(
    house: House, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EVENTBUS = settings.EVENTBUS | {"OPTIONS": {"partitions": 2}}
    house.handler("house-b")
    house.say(*((f"key{number}", number) for number in range(20)))
    house.relay()
    backend, ask = backends.current(), backends.current().ends

    def ends(partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Meanwhile another process, which knows of one partition, gives the group its first offset."""
        for topic in {one.topic for one in partitions}:
            first = Progress(group="house-a", topic=topic, partition=0, start=0, offset=0)
            Progress.objects.bulk_create([first], ignore_conflicts=True)
        return ask(partitions)

    monkeypatch.setattr(backend, "ends", ends)

    house.handler("house-a")

    begins = Progress.objects.filter(group="house-a").order_by("partition").values_list("partition", "start")
    assert list(begins) == [(0, 0), (1, 0)]


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
