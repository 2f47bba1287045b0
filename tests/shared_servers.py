"""Servers that one process of a test run starts and all its processes use: a broker, a PostgreSQL.

pytest-xdist runs the tests in several processes, which know one folder of the run. Who comes first starts a server, and
stops it in the end, once nobody uses it any more.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest


@contextmanager
def shared(
    name: str, tmp_path_factory: pytest.TempPathFactory, start: Callable[[], AbstractContextManager[Any]]
) -> Iterator[Any]:
    """What `start` yields in the process that came first: something that JSON can hold, such as an address."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    told = folder / f"{name}.json"
    with (
        ExitStack() as server,
        (folder / f"{name}.users").open("a") as users,
        (folder / f"{name}.lock").open("a") as door,
    ):
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)  # the system lets it go also for a process that dies
        if mine := not told.exists():
            told.write_text(json.dumps(server.enter_context(start())))
        fcntl.flock(door, fcntl.LOCK_UN)
        yield json.loads(told.read_text())
        if mine:
            fcntl.flock(users, fcntl.LOCK_EX)  # until nobody else uses it
