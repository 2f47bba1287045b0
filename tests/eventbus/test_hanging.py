"""A handler that hangs: supervisors hear of it, the process is started anew, and after three deaths others go on."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from eventbus.consuming import thread_liveness
from eventbus.failures.effects import CRASHES_MAX
from eventbus.operations import heartbeats
from eventbus.operations.heartbeats import EXIT_HANGS, LOOKS_MAX, Heartbeat
from eventbus.processes import dispatcher
from eventbus.processes.dispatcher import Dispatcher
from eventbus.recovery import divergence
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.load_app.hanging_handler import OTHERS
from tests.eventbus.load_app.processes import WAIT_SECONDS, Crowd, database_of_its_own
from tests.waiting import DEADLINE_SECONDS, until

pytestmark = pytest.mark.sites

LIMIT_SECONDS = 1.0
PROCESS_LIMIT_SECONDS = 3.0  # of events that do not hang, too, on a machine that is busy
STARTS_MAX = CRASHES_MAX + 3  # in a batch that nobody announced, in one that was, and alone; one to go on
ENDLESS = {
    "postgresql": "SELECT pg_sleep(3600)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
}
OTHER_NOTES = [(f"chair {number}", 1) for number in range(5)]


@pytest.fixture
def alive(settings: Any, tmp_path: Path) -> Path:
    """What a supervisor looks at."""
    settings.EVENTBUS_LIVENESS_FILE = str(tmp_path / "alive")
    return tmp_path / "alive"


class Hanging:
    """A handler that does not come back until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, event: Noted, **named: str) -> None:
        assert self.go.wait(DEADLINE_SECONDS)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    found = Hanging()
    yield found
    found.go.set()


@pytest.mark.parametrize("effect", [False, True], ids=["a handler", "an effect"])
def test_a_process_whose_handler_hangs_gives_no_sign_of_life_until_it_goes_on(
    house: House, alive: Path, hanging: Hanging, effect: bool
) -> None:
    if effect:
        house.effect(call=hanging, seconds=LIMIT_SECONDS, on_unknown_outcome="retry")
    else:
        house.handler(call=hanging, seconds=LIMIT_SECONDS)
    house.say(("vase", 1))
    house.relay()
    heartbeat = Heartbeat("handle")
    heartbeat.look()
    assert alive.exists()

    with house.working():
        until(thread_liveness.overdue, "it is over its time")
        [hangs] = thread_liveness.overdue()
        os.utime(alive, (0, 0))
        heartbeat.look()
        assert alive.stat().st_mtime == 0
        hanging.go.set()
        until(lambda: not thread_liveness.overdue(), "it goes on")
        heartbeat.look()
        assert alive.stat().st_mtime > 0

    assert str(hangs).startswith("Group house-a is 0 s over its time in house.noted")
    assert "(key vase)" in str(hangs)


def test_a_process_that_hangs_for_several_looks_ends_itself(house: House, alive: Path, hanging: Hanging) -> None:
    house.handler(call=hanging, seconds=LIMIT_SECONDS)
    house.say(("vase", 1))
    house.relay()
    ended: list[int] = []
    foreground, server = Heartbeat("handle", end=ended.append), Heartbeat("all")

    with house.working():
        until(thread_liveness.overdue, "it is over its time")
        for _ in range(LOOKS_MAX - 1):
            foreground.look()
        assert ended == []
        for _ in range(LOOKS_MAX):
            server.look()
        foreground.look()
        hanging.go.set()

    assert ended == [EXIT_HANGS]


def test_an_endless_statement_is_ended_and_its_event_set_aside(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(event: Noted) -> None:
        if event.name == "vase":
            with connection.cursor() as cursor:
                cursor.execute(ENDLESS[connection.vendor])

    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0.05)
    house.handler(call=ask, seconds=LIMIT_SECONDS, attempts=1)
    house.say(("vase", 1), *OTHER_NOTES)
    house.relay()

    with Heartbeat("all"), house.working():
        until(lambda: house.dead() and len(house.seen()) == len(OTHER_NOTES), "all others handled, and it set aside")

    assert [letter.key for letter in house.dead()] == ["vase"]


@pytest.mark.sites
def test_a_handler_that_hangs_for_ever_dies_three_times_and_holds_up_no_other(tmp_path: Path) -> None:
    with database_of_its_own(tmp_path) as url:
        crowd = Crowd(tmp_path, url, {"CROWD_HANGS_ON": "vase", "CROWD_HANDLER_SECONDS": str(PROCESS_LIMIT_SECONDS)})
        try:
            assert crowd.start("hanging_handler", "say").wait(WAIT_SECONDS) == 0, crowd.log()
            starts = 0
            while not all_handled(crowd):
                starts += 1
                assert starts <= STARTS_MAX, crowd.log()
                assert start_until_it_ends(crowd) in (None, EXIT_HANGS), crowd.log()
            assert sorted(crowd.seen()) == sorted(f"chair {number}" for number in range(OTHERS))
            assert crowd.rows("SELECT key, error_class FROM eventbus_deadletter") == [("vase", "CrashedRepeatedly")]
        finally:
            crowd.close()


def start_until_it_ends(crowd: Crowd) -> int | None:
    """What a supervisor does. Its exit code; None if all is handled, and it goes on."""
    relay = crowd.start("hanging_handler", "relay")
    until(lambda: relay.poll() is not None or all_handled(crowd), "it ends", seconds=WAIT_SECONDS)
    return relay.poll()


def all_handled(crowd: Crowd) -> bool:
    dead = crowd.number("SELECT count(*) FROM eventbus_deadletter")
    return bool(dead) and crowd.number("SELECT count(*) FROM crowd_seen") == OTHERS


def test_a_relay_that_looks_through_a_long_log_before_it_begins_says_that_it_lives(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung: list[Any] = []

    def look(backend: Any, beat: Callable[[], None]) -> None:
        until(thread_liveness.overdue, "it reads on for longer than a round takes")
        beat()
        hung.extend(thread_liveness.overdue())

    monkeypatch.setattr(dispatcher, "PULSE_SECONDS", LIMIT_SECONDS)
    monkeypatch.setattr(divergence, "look", look)
    with closing(Dispatcher()) as running:
        running.start()
        until(running.active.is_set, "it relays")

    assert hung == []
