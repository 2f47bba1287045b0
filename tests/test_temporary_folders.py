"""Servers of tests lie in memory only where there is plenty of it, and leave nothing there."""

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import unquote, urlsplit

import pytest

from tests import temporary_folders
from tests.postgres import PostgresMissing, find_binaries
from tests.temporary_folders import folder_in_memory, throwaway_folder
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[1]
WAIT_SECONDS = 60
Usage = namedtuple("Usage", "free")
PLENTY = "MemTotal:       24684092 kB\nMemAvailable:   21120000 kB\n"


@pytest.fixture
def meminfo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What the kernel says of memory, for the test to write."""
    monkeypatch.delenv("TMPDIR", raising=False)
    file = tmp_path / "meminfo"
    file.write_text(PLENTY)
    monkeypatch.setattr(temporary_folders, "MEMORY_FREE", file)
    monkeypatch.setattr(temporary_folders, "MEMORY", tmp_path)
    monkeypatch.setattr(temporary_folders.shutil, "disk_usage", lambda place: Usage(10 * 2**30))
    return file


def test_where_there_is_plenty_it_is_used(meminfo: Path, tmp_path: Path) -> None:
    assert folder_in_memory() == tmp_path


@pytest.mark.parametrize("said", ["MemTotal: 24684092 kB\n", "MemAvailable:    900000 kB\n"], ids=["silent", "little"])
def test_a_machine_that_is_short_of_memory_keeps_them_on_its_disk(meminfo: Path, said: str) -> None:
    meminfo.write_text(said)

    assert folder_in_memory() is None


def test_a_small_share_of_memory_is_left_alone(meminfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_folders.shutil, "disk_usage", lambda place: Usage(64 * 2**20))

    assert folder_in_memory() is None


def test_a_system_without_one_uses_its_disk(meminfo: Path) -> None:
    meminfo.unlink()

    assert folder_in_memory() is None


def test_whoever_names_a_place_has_them_there(meminfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/elsewhere")

    assert folder_in_memory() is None


def test_where_nobody_can_guard_it_no_folder_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_folders.subprocess, "Popen", Mock(side_effect=OSError("no more processes")))

    with pytest.raises(OSError, match="no more processes"), throwaway_folder("postgres-", within=tmp_path):
        pass

    assert list(tmp_path.iterdir()) == []


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
