"""Backups of a test's database, and their restore: real ones, by the database's own means."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
from django.db import connection, connections, transaction

from eventbus import backends
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.errors import LogUnavailable
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS
from tests.eventbus.test_commands import run
from tests.waiting import until

Heard = list[tuple[str, int]]

COPY_SECONDS = 60.0  # for a moment without connections
BEFORE = [("vase", 1), ("vase", 2), ("lamp", 1)]  # what the fixture `backup` has
AFTER = [("vase", 10), ("chair", 10), ("vase", 11)]  # what is told once it is restored
GHOSTS = [("vase", 3), ("chair", 1), ("vase", 4), ("lamp", 2)]  # what was told and handled after it was made


def hearing(house: House) -> Heard:
    """What the handler of house-a has done, in its own memory: no restore makes it forget."""
    heard: Heard = []
    house.handler(call=lambda event: transaction.on_commit(lambda: heard.append((event.name, event.number))))
    return heard


def of(heard: Heard, name: str) -> list[int]:
    """The numbers of one key, in the order in which they were handled."""
    return [number for one, number in heard if one == name]


def restore(backup: "Backup", house: House, heard: Heard) -> None:
    """With the site stopped. Pages are the first to run again."""
    backup.restore()
    house.restart()
    heard.clear()


def start() -> None:
    """A relay begins."""
    Relay(backends.current()).begin()


def repair(house: House) -> str:
    """What the command says."""
    code, said, complaint = run("eventbus", "restored", "--apply")
    assert (code, complaint) == (0, ""), complaint
    house.restart()
    return said


def await_brokers(log: KafkaBackend) -> None:
    """Brokers that were started again answer this client, which may have waited longer from try to try."""

    def answer() -> bool:
        with suppress(LogUnavailable):
            return bool(log.topics.counts(["house"]))
        return False

    until(answer, "the brokers answer", seconds=WAIT_SECONDS)


@contextmanager
def database_kept(folder: Path) -> Iterator["Backup"]:
    """A backup as the database is now, which may be restored again and again."""
    backup = Backup(folder)
    try:
        yield backup
    finally:
        backup.forget()


def _is_copied(administrator: psycopg.Connection[tuple[object, ...]], source: str, target: str) -> bool:
    """A site that runs on connects again at once, and may be faster than the copy."""
    administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [source])
    with suppress(psycopg.errors.ObjectInUse):
        administrator.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')
        return True
    return False


class Backup:
    """Whoever has a connection loses it at a restore, as when an operator drops the database and makes it again."""

    def __init__(self, folder: Path) -> None:
        self._name = str(connection.settings_dict["NAME"])
        self._copy = f"{self._name}_kept" if connection.vendor == "postgresql" else str(folder / "kept.sqlite3")
        self._copy_over(self._name, self._copy)

    def restore(self) -> None:
        self._copy_over(self._copy, self._name)

    def forget(self) -> None:
        if connection.vendor == "postgresql":
            with self._administrator() as administrator:
                administrator.execute(f'DROP DATABASE IF EXISTS "{self._copy}" WITH (FORCE)')

    def _copy_over(self, source: str, target: str) -> None:
        connections.close_all()
        if connection.vendor != "postgresql":
            with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(target, timeout=20)) as here:
                there.backup(here)
            return
        with self._administrator() as administrator:
            administrator.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
            until(lambda: _is_copied(administrator, source, target), "nobody is connected to it", seconds=COPY_SECONDS)

    def _administrator(self) -> psycopg.Connection[tuple[object, ...]]:
        names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
        given = {
            ours: str(connection.settings_dict[name]) for name, ours in names.items() if connection.settings_dict[name]
        }
        return psycopg.connect(dbname="postgres", autocommit=True, **given)
