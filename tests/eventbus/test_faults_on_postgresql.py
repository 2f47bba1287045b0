"""Lies that PostgreSQL is told in SQL of its own are caught as well: tests/eventbus/test_faults.py runs on SQLite."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.db import connection

from tests.eventbus.faults import FAULTS
from tests.eventbus.faults.planting import Fault
from tests.eventbus.faults.session import CAUGHT
from tests.eventbus.load_app.processes import database_of_its_own
from tests.live_site import ROOT

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="tests/eventbus/test_faults.py has SQLite's")

GRAVEST = [  # of those that every database can have: what each breaks is promised first, and the SQL is another here
    "acknowledge before handling",
    "drop the key",
    "swallow the handler's error",
    "forget the inbox",
    "pass over what the inbox holds already",
    "deliver a rolled-back event",
    "let a later event of a parked key pass",
    "move the offset though the dead letter could not be written",
    "order by creation time",
    "take the lease for ever",
]
BY_NAME = {fault.name: fault for fault in FAULTS}
PLANTED = [*(BY_NAME[name] for name in GRAVEST), *(fault for fault in FAULTS if fault.only == "postgresql")]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All of them planted in a process of its own, one after the other."""
    folder = tmp_path_factory.mktemp("faults")
    told = folder / "told.json"
    names = [f"--only={fault.name}" for fault in PLANTED]
    command = [sys.executable, "-m", "tests.eventbus.faults", *names, f"--json={told}"]
    with database_of_its_own(folder) as url:
        said = subprocess.run(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, capture_output=True)
    assert told.exists(), said
    return json.loads(told.read_text())


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.name)
def test_a_fault_on_postgresql_fails_the_cases_that_it_should(fault: Fault, found: dict[str, Any]) -> None:
    assert found["errors"] == []
    assert found["table"][fault.name] == dict.fromkeys(fault.fails, CAUGHT)
