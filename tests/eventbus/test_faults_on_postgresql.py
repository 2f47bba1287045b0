"""Lies about what the bus does on PostgreSQL alone are caught as well: tests/eventbus/test_faults.py runs on SQLite."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests.eventbus.crowd.processes import database_of_its_own
from tests.eventbus.faults import FAULTS
from tests.eventbus.faults.planting import Fault
from tests.eventbus.faults.session import CAUGHT
from tests.live_site import ROOT

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite does without: one writes at a time")


@pytest.mark.parametrize("fault", [one for one in FAULTS if one.only == "postgresql"], ids=lambda fault: fault.name)
def test_a_fault_that_only_postgresql_can_have_fails_the_cases_that_it_should(fault: Fault, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    command = [sys.executable, "-m", "tests.eventbus.faults", f"--only={fault.name}", f"--json={told}"]

    with database_of_its_own(tmp_path) as url:
        subprocess.run(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, check=True, capture_output=True)

    found = json.loads(told.read_text())
    assert found["errors"] == []
    assert found["table"][fault.name] == dict.fromkeys(fault.fails, CAUGHT)
