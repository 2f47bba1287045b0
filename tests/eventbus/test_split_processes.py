"""Relays and handlers as processes of their own over a real Apache Kafka, and what the death of one costs."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.eventbus.load_app.processes import TAKE_OVER_SECONDS, WAIT_SECONDS, Crowd, database_of_its_own, told, until

RELAY_DEATHS = 3
RUNNING = "SELECT count(*) FROM eventbus_process WHERE role = 'relay'"
HANDLERS = 3


class SplitCrowd(Crowd):
    """A crowd over Kafka: `relay_events` and `handle_events`, as many processes as a test starts."""

    def __init__(self, folder: Path, database_url: str, servers: str) -> None:
        environment = {
            "EVENTBUS_BACKEND": "kafka",
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "KAFKA_PREFIX": f"{uuid4().hex[:8]}.",
        }
        super().__init__(folder, database_url, environment)
        self.relays: dict[str, subprocess.Popen[bytes]] = {}

    def _prepare(self) -> None:
        self._site.manage("eventbus", "topics", "--apply")
        super()._prepare()

    def relay(self, name: str) -> None:
        """Each with a log of its own, which says whether it has led."""
        self.relays[name] = self.command("relay_events", log=f"{name}.log")

    def led(self) -> set[str]:
        """The relays that run and have led."""
        logs = {name: (self.folder / f"{name}.log").read_text() for name in self.relays}
        return {name for name, text in logs.items() if "This process dispatches" in text}

    def handle(self) -> subprocess.Popen[bytes]:
        return self.command("handle_events", "--group", "crowd")

    def appended(self) -> int:
        return self.number("SELECT count(log_offset) FROM eventbus_outbox")

    def keys_handled_by(self, process: subprocess.Popen[bytes]) -> set[str]:
        return {row[0] for row in self.rows(f"SELECT DISTINCT name FROM crowd_seen WHERE process = {process.pid}")}

    def numbers_of(self, process: subprocess.Popen[bytes]) -> int:
        """How many events that process has handled."""
        return self.seen_by(process.pid)


@pytest.fixture
def crowd(tmp_path: Path, kafka: str) -> Iterator[SplitCrowd]:
    with database_of_its_own(tmp_path) as url:
        crowd = SplitCrowd(tmp_path, url, kafka)
        try:
            yield crowd
        finally:
            crowd.close()


def test_when_the_active_relay_is_killed_the_one_that_stands_by_takes_over_and_order_is_kept(crowd: SplitCrowd) -> None:
    for number in range(1 + RELAY_DEATHS):
        crowd.relay(f"relay{number}")
    handlers = [crowd.handle() for _ in range(2)]

    with spoken(crowd) as acknowledged:
        until(lambda: len(crowd.seen()) > 1, "events handled")
        until(lambda: crowd.number(RUNNING) == 1 + RELAY_DEATHS, "those who would take over")
        assert len(crowd.led()) == 1
        waits = [_die(crowd) for _ in range(RELAY_DEATHS)]

    _everything_was_handled_once_and_in_order(crowd, acknowledged)
    assert max(waits) <= TAKE_OVER_SECONDS, waits
    remaining = [*crowd.relays.values(), *handlers]
    for process in remaining:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(WAIT_SECONDS) for process in remaining] == [0, 0, 0], crowd.log()


def _die(crowd: SplitCrowd) -> float:
    """Kill the relay that leads; how many seconds until another has appended something."""
    [leader] = crowd.led()
    process = crowd.relays.pop(leader)
    process.kill()
    process.wait()
    killed, appended = time.monotonic(), crowd.appended()
    until(crowd.led, "another takes over")
    until(lambda: crowd.appended() > appended, "it relays")
    return time.monotonic() - killed


def test_when_a_handler_process_is_killed_the_others_take_its_partitions(crowd: SplitCrowd) -> None:
    crowd.relay("relay")
    handlers = [crowd.handle() for _ in range(HANDLERS)]

    with spoken(crowd) as acknowledged:
        until(lambda: all(map(crowd.numbers_of, handlers)), "each of them handles")
        victim, *others = handlers
        keys_of_victim = crowd.keys_handled_by(victim)
        victim.kill()
        victim.wait()
        seen = crowd.seen()
        until(
            lambda: all(len(crowd.seen()[key]) > len(seen[key]) + 1 for key in keys_of_victim),
            "the keys of the one that died go on",
        )

    _everything_was_handled_once_and_in_order(crowd, acknowledged)
    assert keys_of_victim <= set.union(*map(crowd.keys_handled_by, others))


@contextmanager
def spoken(crowd: SplitCrowd) -> Iterator[dict[str, list[int]]]:
    """While two processes publish; afterwards the dictionary holds what was committed, numbers by key."""
    files = [crowd.folder / f"told-{name}" for name in ("a", "b")]
    publishers = [crowd.start("publisher", file.name[-1], file) for file in files]
    everything: dict[str, list[int]] = {}
    yield everything
    for file in files:
        file.with_suffix(".stop").touch()
    assert [publisher.wait(WAIT_SECONDS) for publisher in publishers] == [0, 0], crowd.log()
    everything |= told(*files)


def _everything_was_handled_once_and_in_order(crowd: SplitCrowd, acknowledged: dict[str, list[int]]) -> None:
    count = sum(map(len, acknowledged.values()))
    until(lambda: crowd.number("SELECT count(*) FROM crowd_seen") >= count, "the rest handled")
    assert crowd.seen() == acknowledged
    assert crowd.number("SELECT sum(handled) FROM eventbus_progress") == count
    assert crowd.number("SELECT count(*) FROM eventbus_inbox") == count
    assert crowd.number("SELECT count(*) FROM eventbus_deadletter") == 0
