"""Make one change in a copy of the tree, and run the tests that should notice it."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.kafka.jars import CACHE
from tests.live_site import ROOT
from tests.mutants import database_plugin, line_plugin
from tests.mutants.line_plugin import PRODUCT
from tests.mutants.relevant_tests import Known
from tests.mutants.sampling import Mutant

KILLED, LATE, SURVIVED, EQUIVALENT = "killed", "late", "survived", "equivalent"
PACKAGES = ("mcommerce", "stations", "outside", "eventbus")  # of the product
PYTEST = (sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=no", "-rfE", "-p", "no:cacheprovider")
MISNAMED = 4  # how pytest ends when a test is not there, or when its plugins cannot be imported
SLOWER = 5  # a test may take so many times longer than it took before, and
GRACE_SECONDS = 120  # so much more: the machine may be busy. Then it hangs, and that was noticed.
HANGS = "Timeout ("  # what faulthandler tells


class Outcome(NamedTuple):
    """What came of a mutant; `seconds` its tests took, and which of them noticed."""

    mutant: Mutant
    end: str
    diff: str
    seconds: float
    by: str = ""


def known_tests(files: Iterable[str]) -> list[Known]:
    """The tests in these files, after a run of those that no run of the same product and test has told of yet.

    What tests in a folder's conftest.py or house changes counts with the next change of the test.
    """
    told: dict[str, dict[str, object]] = {}
    files = list(files)
    missing = {test: _kept(test) for test in files if not _kept(test).exists()}
    if missing:
        copy = _copy(os.getpid())
        result = copy / "lines.json"
        environment = {**os.environ, line_plugin.VARIABLE: str(result)}
        subprocess.run([*PYTEST, "-p", "tests.mutants.line_plugin", *missing], cwd=copy, env=environment, check=False)
        ran = json.loads(result.read_text())
        for test, kept in missing.items():
            kept.write_text(json.dumps({name: one for name, one in ran.items() if name.split("::")[0] == test}))
    for test in files:
        told |= json.loads(_kept(test).read_text())
    for name in (name for name, one in told.items() if one["failed"]):
        print(f"Left out, for it fails as it is: {name}", flush=True)
    return Known.read(told)


def files_of(patterns: Iterable[str]) -> list[str]:
    """The files with the tests that these globs name, each once."""
    places = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    found = [file for path in places for file in (sorted(path.rglob("test_*.py")) if path.is_dir() else [path])]
    return list(dict.fromkeys(str(file.relative_to(ROOT)) for file in found))


@cache
def _kept(test: str) -> Path:
    folder = Path(tempfile.gettempdir()) / "mutants-lines" / _ids(*PRODUCT)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{_ids(test)}.json"


def _ids(*paths: str) -> str:
    asked = ["git", "rev-parse", *(f"HEAD:{path}" for path in paths)]
    ids = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return "-".join(one[:12] for one in ids)


def run_in_a_copy(tests: list[list[Known]], mutant: Mutant) -> Outcome:
    """The process keeps its copy for the next mutant."""
    from cosmic_ray.mutating import _make_diff, use_mutation
    from cosmic_ray.plugins import get_operator

    copy = _copy(os.getpid())
    module = copy / mutant.module
    _tables(copy)  # before anything is changed
    with use_mutation(module, get_operator(mutant.operator)(), mutant.occurrence) as (before, after):
        if after is None:
            raise ValueError(f"{mutant} cannot be made: was the tree changed while it ran?")
        begun = time.monotonic()
        end, by = SURVIVED, ""
        for batch in tests:
            end, by = _run(copy, batch)
            if end != SURVIVED:
                break
        diff = "\n".join(line for line in _make_diff(before, after, mutant.module) if line[:1] in "+-")
    return Outcome(mutant, end, diff, time.monotonic() - begun, by)


def _run(copy: Path, batch: list[Known]) -> tuple[str, str]:
    names, told = copy / "tests.txt", copy / "told.txt"
    names.write_text("".join(f"{test.name}\n" for test in batch))
    longest = GRACE_SECONDS + SLOWER * max(test.seconds for test in batch)
    limit = ("-o", f"faulthandler_timeout={longest:.0f}", "-o", "faulthandler_exit_on_timeout=true")
    with told.open("w") as file:
        process = subprocess.Popen(
            [*PYTEST, "-x", *limit, "-p", "tests.mutants.database_plugin", f"@{names}"],
            cwd=copy,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", database_plugin.VARIABLE: str(_tables(copy))},
            stdout=file,
            stderr=subprocess.STDOUT,
            process_group=0,  # not a session: in one of its own it would not yield to others as this run does
        )
        try:
            status = process.wait(GRACE_SECONDS + SLOWER * sum(test.seconds for test in batch))
        except subprocess.TimeoutExpired:
            return LATE, batch[-1].name
        finally:
            _end(process)
    text = told.read_text(errors="replace")
    noticed = next((line for line in text.splitlines() if line.startswith(("FAILED ", "ERROR "))), "")
    if status == MISNAMED:
        raise ValueError(f"Is a test named otherwise each time? {text[-300:]}")
    return (SURVIVED, "") if status == 0 else (LATE if HANGS in text else KILLED, noticed or text[-300:])


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that its tests have started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


@cache
def _tables(copy: Path) -> Path:
    """As the copy's migrations make them."""
    made = copy / "tables.sqlite3"
    subprocess.run([sys.executable, "-m", "tests.mutants.database_plugin", str(made)], cwd=copy, check=True)
    return made


@cache
def _copy(process: int) -> Path:
    """What is committed, in a folder that goes with the machine's other leftovers."""
    folder = Path(tempfile.mkdtemp(prefix=f"mutants-{process}-"))
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(folder)], check=True)
    for package in PACKAGES:  # not in .venv, whose packages have translations of their own
        for compiled in (ROOT / package).glob("**/LC_MESSAGES/*.mo"):
            shutil.copy(compiled, folder / compiled.relative_to(ROOT))
    if CACHE.exists():  # else each copy fetches the broker, or skips the tests that need one
        (folder / CACHE.name).symlink_to(CACHE)
    return folder
