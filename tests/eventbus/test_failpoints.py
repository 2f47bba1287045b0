"""Points at which the world ends on purpose: what one does when armed, that it does it once, and that off it does
nothing."""

import os
import signal
import threading
import timeit
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.transaction import Atomic

from eventbus import failpoints
from eventbus.errors import is_infrastructure_error
from eventbus.failpoints import BrokeHere, FailedHere, armed, hit
from eventbus.models import ConsumerGroup
from tests.eventbus.bus_app import House
from tests.waiting import until

NANOSECONDS_MAX = 1_000  # a pass of an unarmed point, on a machine that is busy with other things


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    yield
    failpoints.disarm()


def test_off_a_point_does_nothing_and_costs_next_to_nothing() -> None:
    passes = 100_000

    best = min(timeit.repeat(lambda: hit("append"), number=passes, repeat=5))

    assert best / passes * 1e9 < NANOSECONDS_MAX


def test_off_a_named_transaction_is_djangos_own() -> None:
    assert type(failpoints.atomic("append")) is Atomic


def test_it_fires_at_its_nth_pass_and_once() -> None:
    with armed("append=error@2") as plan:
        hit("append")
        with pytest.raises(FailedHere):
            hit("append")
        hit("append")

    assert plan.passes["append"] == 3
    hit("append")  # off again


def test_threads_that_pass_at_once_are_counted_each_and_one_fires() -> None:
    threads, passes, failed = 8, 2_000, list[FailedHere]()

    def pass_often() -> None:
        for _ in range(passes):
            try:
                hit("append")
            except FailedHere as error:
                failed.append(error)

    with armed(f"append=error@{threads * passes // 2}") as plan:
        crowd = [threading.Thread(target=pass_often) for _ in range(threads)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
        hit("append")

    assert plan.passes["append"] == threads * passes + 1
    assert len(failed) == 1


def test_a_started_again_process_goes_on(tmp_path: Path) -> None:
    with armed("append=error", folder=tmp_path), suppress(FailedHere):
        hit("append")

    with armed("append=error", folder=tmp_path) as plan:
        hit("append")

        assert plan.fired("append")


def test_kill_is_as_a_power_cut(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        with suppress(BaseException), armed("append=kill", folder=tmp_path):
            hit("append")
        os._exit(0)

    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert (tmp_path / "append").exists()


def test_a_broken_connection_is_nobodys_fault_and_an_error_is() -> None:
    with armed("append=break", "fetched=error"):
        with pytest.raises(BrokeHere) as broke:
            hit("append")
        with pytest.raises(FailedHere) as failed:
            hit("fetched")

    assert is_infrastructure_error(broke.value) and not is_infrastructure_error(failed.value)


def test_what_hangs_goes_on_when_it_is_let_go() -> None:
    with armed("append=hang") as plan:
        thread = threading.Thread(target=hit, args=["append"])
        thread.start()
        until(lambda: plan.fired("append"), "the thread to hang")
        assert thread.is_alive()

        plan.let_go()
        thread.join()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("point", "kept"), [("request.commit", False), ("request.committed", True)])
def test_before_the_commit_nothing_happened_and_after_it_all_did(point: str, kept: bool) -> None:
    with armed(f"{point}=error"), pytest.raises(FailedHere), failpoints.atomic("request"):
        ConsumerGroup.objects.create(name="told", created_at="2026-01-01T00:00Z")

    assert ConsumerGroup.objects.filter(name="told").exists() is kept
    assert not transaction.get_connection().in_atomic_block


def test_a_broken_connection_in_a_handler_counts_no_attempt_and_the_event_is_handled(house: House) -> None:
    house.handler()
    house.say(("ada", 1))

    with armed("handler.done=break"), pytest.raises(BrokeHere):
        house.settle()
    house.restart()
    house.settle()

    assert (house.seen(), house.parked(), house.dead()) == ([("ada", 1)], [], [])


@pytest.mark.usefixtures("bus_clock")  # which stands still: its next attempt is not due before we have looked
def test_an_error_in_a_handler_parks_its_key(house: House) -> None:
    house.handler()
    house.say(("ada", 1))

    with armed("handler.done=error"):
        house.settle()

    assert (house.seen(), house.parked()) == ([], ["ada"])


@pytest.mark.parametrize("spec", ["append", "append=explode", "append=kill@0", "nowhere=kill"])
def test_a_slip_of_the_pen_is_told(spec: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        failpoints.arm([spec])


def test_a_point_that_nobody_declared_is_refused() -> None:
    with armed(), pytest.raises(KeyError):
        hit("nowhere")
