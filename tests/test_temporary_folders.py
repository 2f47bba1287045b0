"""Servers of tests lie in memory only where there is plenty of it, and leave nothing there."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.postgres import PostgresMissing, find_binaries
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[1]
WAIT_SECONDS = 60


def test_a_test_run_that_is_killed_leaves_no_database_behind() -> None:
    try:
        find_binaries()
    except PostgresMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
    script = "from tests.postgres import *\nwith temporary_cluster() as url: print(url, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        folder = Path(unquote(urlsplit(run.stdout.readline()).hostname or ""))
        there = folder.is_dir(), running_on(folder) != []  # a server's child has its command line for a moment
        run.kill()

    assert there == (True, True)
    until(lambda: not folder.exists(), "the folder gone", seconds=WAIT_SECONDS)
    assert running_on(folder) == []


def running_on(folder: Path) -> list[str]:
    """The numbers of the servers that were started on it."""
    return subprocess.run(["pgrep", "-f", f"postgres -D {folder}"], capture_output=True, text=True).stdout.split()
