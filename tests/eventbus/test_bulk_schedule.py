"""The process that dispatches carries out bulk runs, also one that another process has left in its middle."""

import threading
from typing import Any

import pytest

from eventbus import Permanent, failpoints
from eventbus.errors import LeaseLost
from eventbus.models import BulkRun, DeadLetter
from eventbus.processes.bulk_schedule import BulkSchedule
from eventbus.selections import bulk_runs
from eventbus.selections.failure_groups import failure_groups
from tests.eventbus.bus_app import House, Mended
from tests.eventbus.busy_site import many
from tests.waiting import until

LETTERS = 25


@pytest.fixture
def run(house: House, monkeypatch: pytest.MonkeyPatch) -> BulkRun:
    """A discard of all letters, to which the operator has said yes."""
    monkeypatch.setattr(bulk_runs, "LETTERS_AT_ONCE", 10)
    house.handler(call=Mended("vase", error=Permanent("poison")), on_dead="skip")
    house.say(*many("vase", LETTERS))
    house.settle()
    [found] = failure_groups()
    run = bulk_runs.freeze(found, BulkRun.Action.DISCARD, bulk_runs.shown_ids(found.cause), "ada")
    bulk_runs.begin(run, "ada")
    return run


def carry_out(fence: Any = lambda: None) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=lambda: BulkSchedule(stop, fence).run(look_seconds=0.01), daemon=True)
    thread.start()
    try:
        until(lambda: not bulk_runs.is_due() or not thread.is_alive(), "the run")
    finally:
        stop.set()
        thread.join()


def test_a_run_is_carried_out_and_goes_on_after_a_failure(house: House, run: BulkRun) -> None:
    with failpoints.armed("request.commit=break@2"):
        carry_out()

    run.refresh_from_db()
    assert (run.state, run.asked, run.refused) == ("done", LETTERS, 0)
    assert DeadLetter.objects.filter(request="discard").count() == LETTERS


def test_a_process_that_lost_its_lease_leaves_the_run_to_another(house: House, run: BulkRun) -> None:
    steps = []

    def fence() -> None:
        steps.append(1)
        if len(steps) == 2:
            raise LeaseLost("another process has it")

    carry_out(fence)
    run.refresh_from_db()
    assert (run.state, run.asked) == ("running", 10)

    carry_out()
    run.refresh_from_db()
    assert (run.state, run.asked, run.refused) == ("done", LETTERS, 0)
