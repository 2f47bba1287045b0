"""A crowd of processes on one database, which a test or a benchmark starts and kills, and what they have done."""

import os
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from django.conf import settings

from tests import waiting
from tests.live_site import ROOT, LiveSite

STANDBYS = 2
HANDOVER_SECONDS_MAX = 5.0  # from a dispatcher's death until another handles, on a machine with nothing else to do
TAKE_OVER_SECONDS = 30.0  # the same, beside minutes of chaos
WAIT_SECONDS = 180  # with processes that start, and with what the load left behind, beside minutes of chaos
ON_ITS_WAY_EVENTS = 50  # what two publishers say in half a second: far more than lies in hand at any time
LOG = "processes.log"

until = partial(waiting.until, seconds=WAIT_SECONDS)


class Crowd:
    """A site of its own with no process in it yet."""

    def __init__(self, folder: Path, database_url: str, environment: Mapping[str, str] | None = None) -> None:
        self.folder, self._url = folder, database_url
        ours = {"DJANGO_SETTINGS_MODULE": "tests.eventbus.load_app.settings", "DATABASE_URL": database_url}
        self._site = LiveSite(folder, ours | dict(environment or {}))
        self._prepare()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._exits = ExitStack()

    def _prepare(self) -> None:
        self._site.manage("migrate", "--run-syncdb", "--verbosity=0")

    def start(self, program: str, *arguments: Any) -> subprocess.Popen[bytes]:
        """One of the crowd's programs, killed at the end if it still runs."""
        return self._run("-m", f"tests.eventbus.load_app.{program}", *map(str, arguments))

    def command(self, *arguments: str, log: str = LOG) -> subprocess.Popen[bytes]:
        """A command of `manage.py`, killed at the end if it still runs."""
        return self._run("manage.py", *arguments, log=log)

    def _run(self, *arguments: str, log: str = LOG) -> subprocess.Popen[bytes]:
        command = [sys.executable, *arguments]
        with (self.folder / log).open("ab") as file:
            process = subprocess.Popen(command, cwd=ROOT, env=self._site.environment, stdout=file, stderr=file)
        self._exits.callback(_end, process)
        return process

    def dispatcher(self, name: str) -> None:
        self._processes[name] = self.start("dispatcher", name, self._looked(name))

    def _looked(self, dispatcher: str) -> Path:
        return self.folder / f"{dispatcher}.looked"

    def all_look(self) -> bool:
        """Whether each dispatcher has come so far that it would take over."""
        return all(self._looked(name).exists() for name in self._processes)

    def kill(self, dispatcher: str) -> int:
        """Its process id."""
        process = self._processes.pop(dispatcher)
        _end(process)
        return process.pid

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        if self._url.startswith("sqlite"):
            with closing(sqlite3.connect(self._site.database_path, timeout=20)) as database:
                return database.execute(question).fetchall()
        with psycopg.connect(self._url) as database:
            return database.execute(question).fetchall()

    def number(self, question: str) -> int:
        return int(self.rows(question)[0][0] or 0)

    def leader(self) -> str:
        """Who holds the lease."""
        return next((row[0] for row in self.rows("SELECT owner FROM eventbus_lease WHERE name = 'dispatcher'")), "")

    def seen(self) -> dict[str, list[int]]:
        """The numbers that the handler saw by key, in its order."""
        return _by_key(self.rows("SELECT name, number FROM crowd_seen ORDER BY id"))

    def seen_by(self, process: int) -> int:
        return self.number(f"SELECT count(*) FROM crowd_seen WHERE process = {process}")

    def processes_that_handled(self) -> set[int]:
        return {row[0] for row in self.rows("SELECT DISTINCT process FROM crowd_seen")}

    def status(self) -> str:
        """What `manage.py eventbus status` says. Raises RuntimeError when the delivery audit does not balance.

        These processes keep no list of themselves, so it is right to say that nobody handles their group.
        """
        try:
            return self._site.manage("eventbus", "status")
        except RuntimeError as error:
            wrong = str(error).partition("CommandError: ")[2].strip().splitlines()
            if len(wrong) != 1 or not wrong[0].startswith("Nobody handles group "):
                raise
            return str(error)

    def close(self) -> None:
        self._exits.close()

    def log(self) -> str:
        return (self.folder / LOG).read_text(errors="replace")[-3000:]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _by_key(rows: list[Any]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for name, number in rows:
        found[name].append(int(number))
    return dict(found)


def told(*files: Path) -> dict[str, list[int]]:
    """What processes wrote: numbers by key."""
    return _by_key([line.split() for file in files for line in file.read_text().splitlines()])


@contextmanager
def database_of_its_own(folder: Path) -> Iterator[str]:
    """On the database that the test run uses."""
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield f"sqlite:///{folder / 'site.sqlite3'}"
        return
    server, name = os.environ["DATABASE_URL"], f"crowd_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def die(crowd: Crowd, fresh: str, *, at_once: bool = False) -> float:
    """Kill the one that leads; how many seconds until another handled. A fresh standby comes in its stead.

    It returns once that one is well on its way, or `at_once`: whoever always kills in the first moments kills the same
    event's handling again and again, and that is set aside as what the processes die of.
    """
    if not at_once:
        until(crowd.all_look, "those who would take over")  # their start is none of a handover
    leader = crowd.leader()
    killed = time.monotonic()
    crowd.kill(leader)
    handled = crowd.processes_that_handled()
    crowd.dispatcher(fresh)
    until(lambda: crowd.leader() not in ("", leader), "another takes over")
    until(lambda: crowd.processes_that_handled() != handled, "it handles")
    took = time.monotonic() - killed
    if at_once:
        return took
    enough = crowd.number("SELECT count(*) FROM crowd_seen") + ON_ITS_WAY_EVENTS
    until(lambda: crowd.number("SELECT count(*) FROM crowd_seen") >= enough, "it handles what waited")
    # So many events come in batches, and so at the same moment each time: what is in hand then would be so again.
    begun_again = "SELECT count(*) FROM eventbus_progress WHERE running_event IS NOT NULL AND crashes > 0"
    until(lambda: crowd.number(begun_again) == 0, "no event is in hand in which one has died already")
    return took


def see_all_handled_once(crowd: Crowd, publishing: Mapping[Path, subprocess.Popen[bytes]]) -> None:
    """Once those who publish, each of whom writes into its file, have stopped: all is handled once, and in order.

    Raises AssertionError, and RuntimeError when the delivery audit does not balance.
    """
    for file in publishing:
        file.with_suffix(".stop").touch()
    assert [publisher.wait(WAIT_SECONDS) for publisher in publishing.values()] == [0] * len(publishing), crowd.log()
    acknowledged = told(*publishing)
    count = sum(map(len, acknowledged.values()))
    dead = partial(crowd.rows, "SELECT key, error FROM eventbus_deadletter")  # it would be waited for in vain
    until(lambda: crowd.number("SELECT count(*) FROM crowd_seen") >= count or dead(), "the rest handled")
    assert not (letters := dead()), f"set aside: {letters}\n{crowd.log()}"
    until(lambda: crowd.number("SELECT sum(log_offset) FROM eventbus_progress") == count, "the group at the log's end")
    assert crowd.seen() == acknowledged
    assert crowd.number("SELECT sum(handled) FROM eventbus_progress") == count
    assert crowd.number("SELECT count(*) FROM eventbus_inbox") == count
    crowd.status()
