"""Servers of tests lie in memory only where there is plenty of it."""

from collections import namedtuple
from pathlib import Path

import pytest

from tests import in_memory
from tests.in_memory import folder_in_memory

Usage = namedtuple("Usage", "free")
PLENTY = "MemTotal:       24684092 kB\nMemAvailable:   21120000 kB\n"


@pytest.fixture
def meminfo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What the kernel says of memory, for the test to write."""
    monkeypatch.delenv("TMPDIR", raising=False)
    file = tmp_path / "meminfo"
    file.write_text(PLENTY)
    monkeypatch.setattr(in_memory, "MEMORY_FREE", file)
    monkeypatch.setattr(in_memory, "MEMORY", tmp_path)
    monkeypatch.setattr(in_memory.shutil, "disk_usage", lambda place: Usage(10 * 2**30))
    return file


def test_where_there_is_plenty_it_is_used(meminfo: Path, tmp_path: Path) -> None:
    assert folder_in_memory() == tmp_path


@pytest.mark.parametrize("said", ["MemTotal: 24684092 kB\n", "MemAvailable:    900000 kB\n"], ids=["silent", "little"])
def test_a_machine_that_is_short_of_memory_keeps_them_on_its_disk(meminfo: Path, said: str) -> None:
    meminfo.write_text(said)

    assert folder_in_memory() is None


def test_a_small_share_of_memory_is_left_alone(meminfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory.shutil, "disk_usage", lambda place: Usage(64 * 2**20))

    assert folder_in_memory() is None


def test_a_system_without_one_uses_its_disk(meminfo: Path) -> None:
    meminfo.unlink()

    assert folder_in_memory() is None


def test_whoever_names_a_place_has_them_there(meminfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/elsewhere")

    assert folder_in_memory() is None
