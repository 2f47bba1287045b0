"""Metrics of many processes: none is counted twice or lost, and those of the dead do not fill the disk."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import values

from eventbus.measuring import process_files, reading, series
from eventbus.measuring.reading import AllProcesses

# A process that counts, says so, and lives until its standard input is closed.
COUNTS = """
import sys
from eventbus.measuring.series import Counter, Gauge, Histogram
Counter("house_guests_total", "Guests.", "door", limit=5).add("front", count=float(sys.argv[1]))
Gauge("house_lamps", "Lamps.", "room", limit=5).add("kitchen", count=float(sys.argv[1]))
Histogram("house_stay_seconds", "Stay.", "door", bounds=(1.0, 60.0), limit=5).observe_all("front", seconds=[0.5, 9, 90])
print("counted", flush=True)
sys.stdin.read()
"""

# A process that tells what it has counted.
TELLS = """
import errno, json, os, sys
from eventbus.measuring.reading import AllProcesses
from eventbus.measuring.series import Counter

def full(*given):
    raise OSError(errno.ENOSPC, "No space left on device")

if sys.argv[1] == "full":
    os.posix_fallocate = full
letters = Counter("house_letters_total", "Letters.", "box", limit=3)
for number in range(9):
    letters.add(f"box {number}")
print(json.dumps({one.labels["box"]: one.value for each in AllProcesses().collect() for one in each.samples
                  if one.name == "house_letters_total"}))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(process_files.FOLDER, str(tmp_path / "metrics"))
    monkeypatch.setattr(values, "ValueClass", type("Kept", (), {"ours": True}))  # this process reads only
    return tmp_path / "metrics"


@pytest.fixture
def processes(folder: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", COUNTS, count], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for count in ("1", "10", "100")
    ]
    try:
        for one in started:
            assert one.stdout is not None and one.stdout.readline() == "counted\n"
        yield started
    finally:
        for one in started:
            one.kill()
            one.communicate()


def told() -> dict[str, float]:
    return {
        " ".join((sample.name, *(value for name, value in sample.labels.items() if name == "le"))): sample.value
        for metric in AllProcesses().collect()
        for sample in metric.samples
    }


def test_a_killed_process_stays_counted_and_its_gauges_go(folder: Path, processes: list[subprocess.Popen[str]]) -> None:
    all_three = told()

    processes[1].kill()
    processes[2].communicate()  # it ends in order

    assert (all_three["house_guests_total"], all_three["house_lamps"]) == (111, 111)
    processes[1].wait()
    for _ in range(2):
        after = told()
        assert (after["house_guests_total"], after["house_lamps"]) == (111, 1)
        assert after["house_stay_seconds_sum"] == 3 * 99.5
        assert [after[f"house_stay_seconds_bucket {le}"] for le in ("1.0", "60.0", "+Inf")] == [3, 6, 9]
    assert len(list(folder.glob("*.lock"))) == 1
    assert len(list(folder.glob("*.db"))) == 3 + 2  # of the living one, and the sums


def test_a_year_of_restarts_does_not_fill_the_disk(folder: Path, processes: list[subprocess.Popen[str]]) -> None:
    for one in processes:
        one.kill()
        one.wait()
    told()
    (sums,) = folder.glob("counter_dead-*.db")
    for number in range(30):
        shutil.copy(sums, folder / f"counter_7-{number}.db")
        shutil.copy(sums, folder / f"gauge_livesum_7-{number}.db")
        (folder / f"7-{number}.lock").touch()
    (folder / "histogram_7-0.db").write_bytes(b"power was cut")

    assert [told()["house_guests_total"] for _ in range(2)] == [31 * 111] * 2

    assert sorted(file.name.partition("_")[0] for file in folder.iterdir()) == ["counter", "dead.json", "histogram"]


@pytest.mark.parametrize("disk", ["roomy", "full"])
def test_labels_beyond_the_limit_are_one_series(folder: Path, disk: str) -> None:
    """On a full disk a process counts for itself: a file without its room would end the process."""
    told = subprocess.run([sys.executable, "-c", TELLS, disk], capture_output=True, text=True, check=True)

    assert json.loads(told.stdout) == {"box 0": 1, "box 1": 1, series.OTHER: 7}
    assert bool(list(folder.glob("*.db"))) == (disk == "roomy")
    assert ("not counted with those of others" in told.stderr) == (disk == "full")


@pytest.mark.parametrize("crash_at", ["_sum_up", "_replace_list", "_remove"])
def test_a_reader_that_dies_while_it_adds_up_changes_no_count(
    folder: Path, processes: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch, crash_at: str
) -> None:
    processes[0].kill()
    processes[0].wait()
    done, calls = getattr(reading, crash_at), []

    def dies(*given: object) -> object:
        calls.append(given)
        if crash_at == "_remove" and len(calls) == 1:
            return done(*given)  # what an earlier reader left; the second call follows the new list
        if crash_at != "_remove":
            done(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reading, crash_at, dies)
        with pytest.raises(KeyboardInterrupt):
            told()

    monkeypatch.setattr(reading, "WAIT_SECONDS", 0.0)
    with others_wait(folder):
        assert told()["house_guests_total"] == 111
    assert told()["house_guests_total"] == 111


@contextmanager
def others_wait(folder: Path) -> Iterator[None]:
    """Hold the lock of readers, as one that is frozen does."""
    opened = os.open(folder, os.O_RDONLY)
    fcntl.flock(opened, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(opened)
