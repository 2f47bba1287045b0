"""A pytest plugin: notes which lines of the product each test runs, how long it takes, and whether it starts processes.

Loaded by `-p tests.mutants.line_plugin`, it writes to the file that MUTANTS_LINES names.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

VARIABLE = "MUTANTS_LINES"
ROOT = f"{Path(__file__).resolve().parents[2]}/"
PRODUCT = ("eventbus", "mcommerce", "outside", "stations")
FOLDERS = tuple(f"{ROOT}{name}/" for name in PRODUCT)
STARTS_PROCESSES = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty"}

_ran: dict[str, set[int] | None] = {}  # the lines of each file; None for others' files
_started: list[str] = []  # processes
_tests: dict[str, dict[str, Any]] = {}


def pytest_configure() -> None:
    sys.addaudithook(_look_for_processes)
    threading.settrace(_called)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    for lines in _ran.values():
        if lines:
            lines.clear()
    _started.clear()
    sys.settrace(_called)  # each time: Python forgets it when it raises, as in a test that goes as deep as can be
    begun = time.monotonic()
    test = _tests[item.nodeid] = {"failed": False}
    result = yield
    test["seconds"] = time.monotonic() - begun
    test["processes"] = bool(_started)
    test["lines"] = {name.removeprefix(ROOT): sorted(lines.copy()) for name, lines in list(_ran.items()) if lines}
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _tests[report.nodeid]["failed"] = True


def pytest_sessionfinish() -> None:
    sys.settrace(None)
    Path(os.environ[VARIABLE]).write_text(json.dumps(_tests))


def _look_for_processes(event: str, arguments: tuple[Any, ...]) -> None:
    if event in STARTS_PROCESSES:
        _started.append(event)


def _called(frame: FrameType, event: str, argument: Any) -> Any:
    name = frame.f_code.co_filename
    if name not in _ran:
        _ran[name] = set() if name.startswith(FOLDERS) else None
    return None if _ran[name] is None else _on_line


def _on_line(frame: FrameType, event: str, argument: Any) -> Any:
    if event == "line":
        _ran[frame.f_code.co_filename].add(frame.f_lineno)  # type: ignore[union-attr]
    return _on_line
