"""An administrator turns a logger up for ten minutes. Each process follows at its heartbeat, and returns by itself."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from eventbus import clock
from eventbus.models import LogLevel, OperatorAction
from eventbus.operations import log_levels
from eventbus.operations.heartbeats import Heartbeat, processes
from eventbus.operations.log_levels import LogLevelRefused
from tests.eventbus.test_commands import run

NAME = "eventbus.tried_by_tests"
LOGGER = logging.getLogger(NAME)
OTHER = UUID(int=1)


@pytest.fixture
def process(transactional_db: None) -> Iterator[Heartbeat]:
    LOGGER.setLevel(logging.WARNING)
    process = Heartbeat("all")
    process.beat()
    yield process
    LogLevel.objects.all().delete()
    process.beat()
    LOGGER.setLevel(logging.NOTSET)


def test_a_process_follows_at_its_next_heartbeat_and_returns_after_ten_minutes(
    process: Heartbeat, bus_clock: Any
) -> None:
    log_levels.set_level(NAME, "DEBUG", "ada")
    assert LOGGER.level == logging.WARNING
    process.beat()
    assert LOGGER.level == logging.DEBUG

    bus_clock.advance(minutes=9, seconds=59)
    process.beat()
    assert LOGGER.level == logging.DEBUG
    bus_clock.advance(seconds=2)
    process.beat()

    assert LOGGER.level == logging.WARNING
    assert not log_levels.active().exists()


def test_a_level_of_another_process_changes_nothing_here(process: Heartbeat) -> None:
    log_levels.set_level(NAME, "DEBUG", "ada", process=OTHER)
    process.beat()
    assert LOGGER.level == logging.WARNING

    [here] = processes()
    log_levels.set_level(NAME, "ERROR", "ada", process=here.id)
    log_levels.set_level(NAME, "INFO", "ada")  # of all: the level of this process goes before it
    process.beat()

    assert LOGGER.level == logging.ERROR


def test_an_end_before_the_time_is_followed_and_in_the_trail(process: Heartbeat) -> None:
    row = log_levels.set_level(NAME, "DEBUG", "ada", about="all")
    process.beat()

    log_levels.end(row.pk, "grace")
    process.beat()

    assert LOGGER.level == logging.WARNING
    trail = list(OperatorAction.objects.order_by("id").values_list("who", "action", "key"))
    assert trail == [("ada", "log-level", f"{NAME} DEBUG all"), ("grace", "log-level", f"{NAME} DEBUG ended")]
    with pytest.raises(LogLevelRefused, match="ended already"):
        log_levels.end(row.pk, "grace")


def test_a_level_ends_after_ten_minutes_also_where_the_clock_was_set_back(
    process: Heartbeat, bus_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_levels.set_level(NAME, "DEBUG", "ada")
    process.beat()
    now = clock.now

    monkeypatch.setattr(clock, "now", lambda: now() - timedelta(days=1))
    bus_clock.advance(minutes=10)
    log_levels.return_overdue()
    assert LOGGER.level == logging.WARNING
    process.beat()

    assert LOGGER.level == logging.WARNING, "the row is still in force by that clock"


def test_the_command_line_sets_shows_and_ends_a_level(process: Heartbeat) -> None:
    [here] = processes()
    code, said, _ = run("eventbus", "log-level", NAME, "DEBUG", "--process", f"{here.host}/{here.pid}", "--json")
    [row] = json.loads(said)
    assert (code, row["logger"], row["level"], row["process"]) == (0, NAME, "DEBUG", str(here.id))
    process.beat()
    assert LOGGER.level == logging.DEBUG
    assert NAME in run("eventbus", "log-level")[1]

    assert "No log level is set." in run("eventbus", "log-level", "--end", str(row["id"]))[1]
    process.beat()

    assert LOGGER.level == logging.WARNING


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (("eventbus",), "Name a logger and a level"),
        (("eventbus", "LOUD"), "no such log level: LOUD"),
        (("eventbus", "DEBUG", "--process", "nowhere/1"), "No such process: nowhere/1"),
        (("a b", "DEBUG"), "is no logger"),
        (("eventbus.relais", "DEBUG"), "no such logger: eventbus.relais"),
        (("elsewhere.relay", "INFO"), "no such logger: elsewhere.relay"),
        (("root", "DEBUG"), "may print keys"),
        (("django.db.backends", "DEBUG"), "may print keys"),
        (("urllib3.connectionpool", "DEBUG"), "may print keys"),
        (("--end", "4711"), "ended already"),
    ],
)
def test_a_wrong_line_is_explained(process: Heartbeat, line: tuple[str, ...], text: str) -> None:
    code, _, complaint = run("eventbus", "log-level", *line)

    assert code != 0
    assert text in complaint
    assert not LogLevel.objects.exists()
