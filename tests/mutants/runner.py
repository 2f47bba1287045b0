"""Make one change in a copy of the tree, run the tests that should notice it, and judge what nobody noticed."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.kafka.jars import CACHE
from tests.live_site import ROOT
from tests.mutants.plugin import LINES, PRODUCT, TABLES
from tests.mutants.relevant_tests import Known
from tests.mutants.sampling import Mutant

KILLED, LATE, SURVIVED, EQUIVALENT = "killed", "late", "survived", "equivalent"
JUDGED = Path(__file__).with_name("judged.toml")
PYTEST = (sys.executable, "-m", "pytest", "-n0", "-q", "--no-header", "--tb=no", "-rfE", "-p", "no:cacheprovider")
PLUGIN = ("-p", "tests.mutants.plugin")
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

    def judged(self, judgements: set[tuple[str, str, str]]) -> "Outcome":
        """As it came, or as judged if nothing noticed it."""
        known = self.end == SURVIVED and (self.mutant.module, *changed_lines(self.diff)) in judgements
        return self._replace(end=EQUIVALENT) if known else self


def judgements(file: Path = JUDGED) -> set[tuple[str, str, str]]:
    """Judged changes: a module, the line as it is and as the mutant has it; where in the module does not matter."""
    entries = tomllib.loads(file.read_text()).get("equivalent", [])
    for entry in entries:
        if not entry["why"].strip():
            raise ValueError(f"{file.name}: say why {entry['after']!r} in {entry['module']} changes nothing")
    return {(entry["module"], entry["before"], entry["after"]) for entry in entries}


def changed_lines(diff: str) -> tuple[str, str]:
    """What was there and what stands there now, without indentation; several lines are joined by a space."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before, after = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in ("-", "+"))
    return before, after


def known_tests(patterns: Iterable[str]) -> list[Known]:
    """The tests that these globs name. They run once, until the product or the tests change."""
    folder = Path(tempfile.gettempdir()) / "mutants-lines"
    asked = ["git", "rev-parse", *(f"HEAD:{path}" for path in (*PRODUCT, "tests"))]
    ids = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    names = "-".join(patterns).translate(str.maketrans("/*", "__"))
    kept = folder / "-".join(one[:12] for one in ids) / f"{names[:150]}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        found = sorted({str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)})
        environment = {**os.environ, LINES: str(kept)}
        subprocess.run([*PYTEST, *PLUGIN, *found], cwd=_copy(os.getpid()), env=environment, check=False)
    told = json.loads(kept.read_text())
    for name in (name for name, one in told.items() if one["failed"]):
        print(f"Left out, for it fails as it is: {name}", flush=True)
    return Known.read(told)


def run_in_a_copy(tests: list[list[Known]], mutant: Mutant) -> Outcome:
    """The process keeps its copy for the next mutant."""
    from cosmic_ray.mutating import _make_diff, use_mutation
    from cosmic_ray.plugins import get_operator

    copy = _copy(os.getpid())
    _tables(copy)  # before anything is changed
    with use_mutation(copy / mutant.module, get_operator(mutant.operator)(), mutant.occurrence) as (before, after):
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
            [*PYTEST, "-x", *limit, *PLUGIN, f"@{names}"],
            cwd=copy,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", TABLES: str(_tables(copy))},
            stdout=file,
            stderr=subprocess.STDOUT,
            process_group=0,  # not a session: in one of its own it would not yield to others as this run does
        )
        try:
            status = process.wait(GRACE_SECONDS + SLOWER * sum(test.seconds for test in batch))
        except subprocess.TimeoutExpired:
            return LATE, batch[-1].name
        finally:
            with contextlib.suppress(ProcessLookupError):  # with all that its tests have started
                os.killpg(process.pid, 9)
            process.wait()
    text = told.read_text(errors="replace")
    noticed = next((line for line in text.splitlines() if line.startswith(("FAILED ", "ERROR "))), "")
    if status == MISNAMED:
        raise ValueError(f"Is a test named otherwise each time? {text[-300:]}")
    return (SURVIVED, "") if status == 0 else (LATE if HANGS in text else KILLED, noticed or text[-300:])


@cache
def _tables(copy: Path) -> Path:
    """As the copy's migrations make them."""
    made = copy / "tables.sqlite3"
    subprocess.run([sys.executable, "-m", "tests.mutants.plugin", str(made)], cwd=copy, check=True)
    return made


@cache
def _copy(process: int) -> Path:
    """What is committed, in a folder that goes with the machine's other leftovers."""
    folder = Path(tempfile.mkdtemp(prefix=f"mutants-{process}-"))
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(folder)], check=True)
    for package in PRODUCT:  # not in .venv, whose packages have translations of their own
        for compiled in (ROOT / package).glob("**/LC_MESSAGES/*.mo"):
            shutil.copy(compiled, folder / compiled.relative_to(ROOT))
    if CACHE.exists():  # else each copy fetches the broker, or skips the tests that need one
        (folder / CACHE.name).symlink_to(CACHE)
    return folder
