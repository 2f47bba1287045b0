"""The contract would catch a lie: each fault fails the cases that it should, and each case is failed by a fault."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from eventbus import inbox
from tests.eventbus.faults import FAULTS
from tests.eventbus.faults.__main__ import drawn
from tests.eventbus.faults.planting import DoesNotFit, Fault
from tests.eventbus.faults.session import CAUGHT

ROOT = Path(__file__).parents[2]
NAMES = {fault.name for fault in FAULTS}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Each fault planted in a process of its own, so that no other test is lied to."""
    told = tmp_path_factory.mktemp("faults") / "found.json"
    command = [sys.executable, "-m", "tests.eventbus.faults", f"--json={told}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert told.exists(), done.stdout + done.stderr
    return json.loads(told.read_text())


def test_every_fault_fails_the_cases_that_it_should(found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("", *drawn(found["cases"], found["table"]), sep="\n")

    assert found["errors"] == []
    missed = {
        fault.name: [case for case in fault.fails if found["table"][fault.name].get(case) != CAUGHT]
        for fault in FAULTS
        if fault.only in ("", connection.vendor)
    }
    assert {name: cases for name, cases in missed.items() if cases} == {}, "these cases believe these lies"


def test_the_cases_that_faults_name_are_there(found: dict[str, Any]) -> None:
    assert sorted({case for fault in FAULTS for case in fault.fails} - set(found["cases"])) == []


def test_faults_have_names_of_their_own_and_cases_that_they_fail() -> None:
    assert len(NAMES) == len(FAULTS)
    assert [fault.name for fault in FAULTS if not fault.fails] == []


def test_a_planted_fault_lies_to_everybody_and_is_gone_afterwards() -> None:
    from eventbus.inbox import known

    with pytest.raises(RuntimeError), lie("eventbus.inbox.known", "return ", "raise RuntimeError or "):
        known("house-a", [])

    assert inbox.known is known
    assert inbox.known.__code__.co_filename == inbox.__file__


@pytest.mark.parametrize(
    ("place", "text"),
    [("eventbus.inbox.gone", "ids"), ("eventbus.inbox.known", "no such text"), ("eventbus.inbox.LIVE", "0")],
)
def test_a_fault_whose_place_has_changed_says_so(place: str, text: str) -> None:
    with pytest.raises(DoesNotFit, match=place), lie(place, text, "pass"):
        pass


def lie(place: str, text: str, instead: str) -> Any:
    return Fault("a lie", place, text, instead, fails=[]).planted()
