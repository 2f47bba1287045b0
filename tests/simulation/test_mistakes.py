"""Each mistake that somebody might make in the bus is noticed by the cases that are there for its promise."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from eventbus.database.sqlite3.base import queue_of
from eventbus.progress import inbox
from tests.chaos.test_chaos import MISTAKE
from tests.eventbus.backend_contract import BackendContract
from tests.live_site import ROOT
from tests.simulation.mistake_trial import TooLong, at_most
from tests.simulation.mistakes import MISTAKES, named
from tests.simulation.mistakes.mistake import CONTRACT, Mistake, Promise
from tests.sweep.cases import TRIALS

pytestmark = pytest.mark.mistakes

PER_PROCESS = 25  # mistakes: the start of a process takes as long as ten of them
# On PostgreSQL, besides its own: the statements that keep these promises are others there.
GRAVEST = (Promise.HANDLED_ONCE, Promise.ORDER)


def here(mistake: Mistake) -> bool:
    """Whether it is tried in memory, on this run's database."""
    if connection.vendor == "postgresql":
        return mistake.only == "postgresql" or (not mistake.only and mistake.breaks in GRAVEST)
    return not mistake.only


IN_MEMORY = [one for one in MISTAKES.values() if here(one)]
OVER_KAFKA = [one for one in MISTAKES.values() if one.only == "kafka"]


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By mistake, the cases that noticed it: in processes of their own, so that nothing of a mistake is left behind."""
    folder, wanted = tmp_path_factory.mktemp("mistakes"), _asked(request, "in_memory")
    count = ceil(len(wanted) / PER_PROCESS)
    parts = [wanted[part::count] for part in range(count)]
    with ThreadPoolExecutor(count) as processes:
        told = processes.map(lambda part: noticed(folder / part[0].make.__name__, part, {}), parts)
        return {name: cases for one in told for name, cases in one.items()}


@pytest.fixture(scope="module")
def found_over_kafka(request: pytest.FixtureRequest, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("mistakes")
    environment = {"TESTS_KAFKA_BOOTSTRAP_SERVERS": kafka}
    return noticed(folder / "kafka", _asked(request, "over_kafka"), environment)


def _asked(request: pytest.FixtureRequest, where: str) -> list[Mistake]:
    """The mistakes that this run was asked for (pytest -k)."""
    calls = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    return [call[where] for call in calls if where in call]


def noticed(folder: Path, mistakes: Collection[Mistake], environment: dict[str, str]) -> dict[str, dict[str, str]]:
    """The cases that notice each of these, tried in one process."""
    folder.mkdir()
    files = ",".join(sorted({one.where for one in mistakes}))
    command = [sys.executable, "-m", "tests.simulation.mistake_trial", str(folder / "told.json"), files]
    command += [one.name for one in mistakes]
    said = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    assert (folder / "told.json").exists(), said.stdout + said.stderr
    told = json.loads((folder / "told.json").read_text())
    assert told["errors"] == [], said.stdout
    return told["noticed"]


@pytest.mark.mistakes
@pytest.mark.parametrize("in_memory", IN_MEMORY, ids=lambda mistake: mistake.name)
def test_a_mistake_is_noticed(in_memory: Mistake, found: dict[str, dict[str, str]]) -> None:
    assert sorted(found[in_memory.name]) == sorted(in_memory.noticed_by)


@pytest.mark.mistakes
@pytest.mark.parametrize("over_kafka", OVER_KAFKA, ids=lambda mistake: mistake.name)
def test_a_mistake_over_kafka_is_noticed(over_kafka: Mistake, found_over_kafka: dict[str, dict[str, str]]) -> None:
    assert sorted(found_over_kafka[over_kafka.name]) == sorted(over_kafka.noticed_by)


def test_a_planted_mistake_is_noticed(tmp_path: Path) -> None:
    mistake = MISTAKES["the inbox is forgotten"]

    found = noticed(tmp_path / "trial", [mistake], {})

    assert sorted(found[mistake.name]) == sorted(mistake.noticed_by)


def test_each_promise_has_several_mistakes() -> None:
    kept = [one.breaks for one in MISTAKES.values()]

    assert [promise.value for promise in Promise if kept.count(promise) < 2] == []


def test_each_theme_of_the_contract_notices_a_mistake_by_itself() -> None:
    themes = {theme.__name__: _cases(theme) for theme in BackendContract.__bases__}
    noticing = [set(one.noticed_by) for one in MISTAKES.values() if one.where == CONTRACT]

    assert [name for name, cases in themes.items() if not any(one <= cases for one in noticing)] == [], (
        "add a mistake to tests/simulation/mistakes that only they must notice"
    )
    assert sorted(set().union(*noticing) - set().union(*themes.values())) == [], "there are no such cases"


def _cases(theme: type) -> set[str]:
    return {name.removeprefix("test_") for name in vars(theme) if name.startswith("test_")}


def test_chaos_and_the_sweep_make_mistakes_that_are_here() -> None:
    for name in (MISTAKE, *TRIALS):
        with named(name).made():
            pass


def test_a_mistake_is_made_wherever_its_function_is_called_and_gone_afterwards() -> None:
    from eventbus.progress.inbox import note

    with MISTAKES["the inbox is forgotten"].made():
        assert inbox.note("house-a", []) is None
        assert inbox.note is not note

    assert inbox.note is note


def test_a_case_that_is_stopped_while_it_may_write_leaves_that_to_the_next() -> None:
    with pytest.raises(TooLong), at_most(0.05):
        queue_of("file:nobody").acquire(seconds=1)
        threading.Event().wait()

    queue_of("file:nobody").acquire(seconds=0)
