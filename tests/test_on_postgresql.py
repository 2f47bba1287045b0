"""What the default run shows on SQLite, once more on PostgreSQL: before a release."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.databases import postgresql_or_skip
from tests.postgres import temporary_cluster

pytestmark = pytest.mark.databases
ROOT = Path(__file__).resolve().parent.parent
ADDOPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["addopts"]
[DEFAULT] = [one.removeprefix("-m ") for one in ADDOPTS if one.startswith("-m ")]


@pytest.mark.parametrize("folder", ["eventbus", "mcommerce", "stations", "journeys"])
def test_what_holds_on_sqlite_holds_on_postgresql(folder: str) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with postgresql_or_skip(temporary_cluster) as url:
        told = subprocess.run(
            [sys.executable, "-m", "pytest", "-n0", "-q", "-m", f"{DEFAULT} and not kafka", f"tests/{folder}"],
            cwd=ROOT,
            env=ours | {"DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    print(told.stdout[-2_000:])
    assert told.returncode == 0, told.stdout[-20_000:]
