"""Make one change in a copy of the tree, and run the tests that should notice it."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.live_site import ROOT
from tests.mutants.drawing import Mutant
from tests.mutants.parts import PARTS

KILLED, SURVIVED, EQUIVALENT = "killed", "survived", "equivalent"
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider")


class Outcome(NamedTuple):
    """What came of a mutant; `seconds` its tests took."""

    mutant: Mutant
    end: str
    diff: str
    seconds: float


def run_in_a_copy(part: str, mutant: Mutant) -> Outcome:
    """The process keeps its copy for the next mutant."""
    from cosmic_ray.mutating import _make_diff, use_mutation
    from cosmic_ray.plugins import get_operator

    copy = _copy(os.getpid())
    module = copy / mutant.module
    with use_mutation(module, get_operator(mutant.operator)(), mutant.occurrence) as (before, after):
        if after is None:
            raise ValueError(f"{mutant} cannot be made: was the tree changed while it ran?")
        begun = time.monotonic()
        noticed = _tests_notice(copy, part)
        diff = "\n".join(line for line in _make_diff(before, after, mutant.module) if line[:1] in "+-")
    return Outcome(mutant, KILLED if noticed else SURVIVED, diff, time.monotonic() - begun)


def _tests_notice(copy: Path, part: str) -> bool:
    tests = [str(found.relative_to(copy)) for pattern in PARTS[part].tests for found in sorted(copy.glob(pattern))]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [*PYTEST, *dict.fromkeys(tests)],
        cwd=copy,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(PARTS[part].seconds) != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that its tests have started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


@cache
def _copy(process: int) -> Path:
    """What is committed, in a folder that goes with the machine's other leftovers."""
    folder = Path(tempfile.mkdtemp(prefix=f"mutants-{process}-"))
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(folder)], check=True)
    for compiled in ROOT.glob("**/LC_MESSAGES/*.mo"):
        shutil.copy(compiled, folder / compiled.relative_to(ROOT))
    return folder
