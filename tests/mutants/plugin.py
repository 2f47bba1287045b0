"""A pytest plugin for runs with and without a mutant; an environment variable chooses what it does.

MUTANTS_LINES names a file: into it goes which lines of the product each test runs, how long it takes, and whether it
starts processes. MUTANTS_TABLES names a SQLite file, of which a run's database is a copy: to migrate an empty one takes
longer than most mutants live. `python -m tests.mutants.plugin FILE` makes it.
"""

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

LINES, TABLES = "MUTANTS_LINES", "MUTANTS_TABLES"
ROOT = f"{Path(__file__).resolve().parents[2]}/"
PRODUCT = ("eventbus", "mcommerce", "outside", "stations")
FOLDERS = tuple(f"{ROOT}{name}/" for name in PRODUCT)
STARTS_PROCESSES = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty"}

_ran: dict[str, set[int] | None] = {}  # the lines of each file; None for others' files
_started: list[str] = []  # processes
_tests: dict[str, dict[str, Any]] = {}


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    if LINES in os.environ:
        sys.addaudithook(lambda event, arguments: _started.append(event) if event in STARTS_PROCESSES else None)
        threading.settrace(_called)
    if TABLES in os.environ:
        from django.db.backends.sqlite3.creation import DatabaseCreation

        DatabaseCreation.create_test_db = _copy_tables


def _copy_tables(creation: Any, **_options: Any) -> str:
    from django.db import connections

    name = creation.connection.settings_dict["TEST"]["NAME"]
    creation.connection.close()
    shutil.copy(os.environ[TABLES], name)
    connections.settings[creation.connection.alias]["NAME"] = creation.connection.settings_dict["NAME"] = name
    return str(name)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if LINES not in os.environ:
        return (yield)
    for lines in _ran.values():
        if lines:
            lines.clear()
    _started.clear()
    sys.settrace(_called)  # each time: Python forgets it when it raises, as in a test that goes as deep as can be
    begun = time.monotonic()
    test = _tests[item.nodeid] = {"failed": False}
    result = yield
    test |= {"seconds": time.monotonic() - begun, "processes": bool(_started)}
    test["lines"] = {name.removeprefix(ROOT): sorted(lines.copy()) for name, lines in list(_ran.items()) if lines}
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed and report.nodeid in _tests:
        _tests[report.nodeid]["failed"] = True


def pytest_sessionfinish() -> None:
    if LINES in os.environ:
        sys.settrace(None)
        Path(os.environ[LINES]).write_text(json.dumps(_tests))


def _called(frame: FrameType, event: str, argument: Any) -> Any:
    name = frame.f_code.co_filename
    if name not in _ran:
        _ran[name] = set() if name.startswith(FOLDERS) else None
    return None if _ran[name] is None else _on_line


def _on_line(frame: FrameType, event: str, argument: Any) -> Any:
    if event == "line":
        _ran[frame.f_code.co_filename].add(frame.f_lineno)  # type: ignore[union-attr]
    return _on_line


def make(path: str) -> None:
    import django
    from django.db import connection

    os.environ["DJANGO_SETTINGS_MODULE"] = "mcommerce.settings"
    django.setup()
    connection.settings_dict["TEST"]["NAME"] = f"{path}.new"
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [path])


if __name__ == "__main__":
    make(sys.argv[1])
