"""Wherever and however the world ends, each order comes to its right end, once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

pytestmark = pytest.mark.sweep

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 1_800  # a minute and a half on two cores that nobody else uses


def sweep(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it forks, and so must know no thread and no connection."""
    command = [sys.executable, "-m", "tests.sweep", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def test_every_order_comes_to_its_right_end_whatever_dies_once() -> None:
    # PostgreSQL could do otherwise in commits and locks: it plays one of SQLite's ways, and all that SQLite has not.
    done = sweep("--short", *(["--one-way"] if connection.vendor == "postgresql" else []))

    assert done.returncode == 0, done.stdout + done.stderr
