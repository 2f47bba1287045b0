"""The contract would catch a lie: each fault fails the cases that it should, and each case is failed by a fault."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from eventbus.database.sqlite3.base import queue_of
from eventbus.progress import inbox
from tests.eventbus.backend_contract import BackendContract
from tests.eventbus.faults import FAULTS
from tests.eventbus.faults.__main__ import drawn
from tests.eventbus.faults.planting import DoesNotFit, Fault
from tests.eventbus.faults.session import CAUGHT, TooLong, at_most

ROOT = Path(__file__).parents[2]
PARTS = 2  # processes that share the faults: a machine of today has two cores at least
NAMES = {fault.name for fault in FAULTS}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Each fault planted in a process of its own, so that no other test is lied to."""
    folder = tmp_path_factory.mktemp("faults")
    parts = [folder / f"part {part}.json" for part in range(1, PARTS + 1)]
    commands = [
        [sys.executable, "-m", "tests.eventbus.faults", f"--part={part}", f"--of={PARTS}", f"--json={told}"]
        for part, told in enumerate(parts, 1)
    ]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for command in commands]
    said = [process.communicate()[0] for process in running]
    assert all(told.exists() for told in parts), said
    tellings = [json.loads(told.read_text()) for told in parts]
    return {
        "cases": tellings[0]["cases"],
        "table": {name: outcomes for one in tellings for name, outcomes in one["table"].items()},
        "errors": [error for one in tellings for error in one["errors"]],
    }


def test_every_fault_fails_the_cases_that_it_should(found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("", *drawn(found["cases"], found["table"], FAULTS), sep="\n")

    assert found["errors"] == []
    missed = {
        fault.name: [case for case in fault.fails if found["table"][fault.name].get(case) != CAUGHT]
        for fault in FAULTS
        if fault.only in ("", connection.vendor)  # what only PostgreSQL has: test_faults_on_postgresql.py
    }
    assert {name: cases for name, cases in missed.items() if cases} == {}, "these cases believe these lies"


def test_every_case_is_failed_by_a_fault() -> None:
    cases = {name.removeprefix("test_") for name in dir(BackendContract) if name.startswith("test_")}
    failed = {case for fault in FAULTS for case in fault.fails}

    assert sorted(cases - failed) == [], (
        "no fault fails these: add one to the module in tests/eventbus/faults that is called like theirs"
    )
    assert sorted(failed - cases) == [], "faults name these, and there are no such cases"


def test_every_fault_fits_the_code() -> None:
    for fault in FAULTS:
        with fault.planted():
            pass


def test_faults_have_names_of_their_own_and_cases_that_they_fail() -> None:
    assert len(NAMES) == len(FAULTS)
    assert [fault.name for fault in FAULTS if not fault.fails] == []


def test_a_planted_fault_lies_to_everybody_and_is_gone_afterwards() -> None:
    from eventbus.progress.inbox import known

    with pytest.raises(RuntimeError), lie("eventbus.progress.inbox.known", "return ", "raise RuntimeError or "):
        known("house-a", [])

    assert inbox.known is known
    assert inbox.known.__code__.co_filename == inbox.__file__


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("eventbus.progress.inbox.gone", "ids"),
        ("eventbus.progress.inbox.known", "no such text"),
        ("eventbus.progress.inbox.LIVE", "0"),
    ],
)
def test_a_fault_whose_place_has_changed_says_so(place: str, text: str) -> None:
    with pytest.raises(DoesNotFit, match=place), lie(place, text, "pass"):
        pass


@pytest.mark.parametrize("instead", ["return nowhere and ", "return (lambda: nowhere)() and "])
def test_a_fault_that_asks_for_what_is_not_there_says_so(instead: str) -> None:
    with (
        pytest.raises(DoesNotFit, match="nobody knows nowhere"),
        lie("eventbus.progress.inbox.known", "return ", instead),
    ):
        pass


def test_a_case_that_is_stopped_while_it_may_write_leaves_that_to_the_next() -> None:
    with pytest.raises(TooLong), at_most(0.05):
        queue_of("file:nobody").acquire(seconds=1)
        threading.Event().wait()

    queue_of("file:nobody").acquire(seconds=0)


def lie(place: str, text: str, instead: str) -> Any:
    return Fault("a lie", place, text, instead, fails=[]).planted()
