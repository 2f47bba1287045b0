"""A real site in many processes for tests: each role of the image in its own, over Apache Kafka and PostgreSQL.

Before them stands a front door, as a proxy does: sockets go to a `live` process, everything else to `pages`.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.collector import Collector
from tests.free_ports import free_ports
from tests.live_site import ROOT, STOP_DEADLINE_SECONDS, LiveSite
from tests.postgres import PostgresMissing, temporary_cluster
from tests.tcp_router import FrontDoor
from tests.waiting import START_SECONDS, answers, until

ENTRYPOINT = str(ROOT / "docker-entrypoint")


NOT_OFFERED = """
    SELECT count(*) FROM products_product WHERE published AND NOT EXISTS (
        SELECT 1 FROM orders_offer WHERE orders_offer.product_id = products_product.id AND orders_offer.for_sale)
"""


class SplitSite(LiveSite):
    """One site; its processes have names that the caller chooses, and each can be killed alone."""

    collector: Collector  # of the spans of its processes, where a test has one

    def __init__(self, directory: Path, database_url: str, servers: str, more: Mapping[str, str] | None = None) -> None:
        self._database_url = database_url
        self._ports: dict[str, int] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        binaries = str(Path(sys.executable).parent)
        environment = {
            "LISTEN_HOST": "127.0.0.1",
            "DATABASE_URL": database_url,
            "EVENTBUS_BACKEND": "kafka",
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "KAFKA_PREFIX": f"{uuid4().hex[:8]}.",
            "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }
        super().__init__(directory, environment | dict(more or {}))

    def prepare(self) -> None:
        """Make the topics, for a group begins where they end; then the tables and the demo catalogue."""
        self.manage("eventbus", "topics", "--apply")
        super().prepare()

    def play(self, name: str, role: str, *arguments: str) -> int:
        """Start a process in a role of the image, by the image's own entry point; its process id."""
        return self._begin(name, [sys.executable, ENTRYPOINT, role, *arguments])

    def stand_in(self, name: str, *arguments: str) -> int:
        """Start a stand-in for somebody outside, by its command."""
        return self._begin(name, [sys.executable, "manage.py", *arguments])

    def _begin(self, name: str, command: list[str]) -> int:
        assert name not in self.processes, "it runs already"
        if name not in self._ports:
            [self._ports[name]] = free_ports(1)
        environment = self.environment | {"PORT": str(self._ports[name])}
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self.processes[name].pid

    def address(self, name: str) -> str:
        """Where that process itself is reached, past the front door."""
        return f"http://127.0.0.1:{self._ports[name]}"

    @property
    def origins(self) -> list[str]:
        return [*super().origins, *(self.address(name) for name in self._ports)]

    def ended(self) -> list[str]:
        """The processes that have ended by themselves."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def await_ready(self, *names: str) -> None:
        """Return once each says that it can serve."""
        for name in names:
            ready, process = f"{self.address(name)}/health/ready", self.processes[name]
            until(lambda url=ready: answers(url), self.log_tail, seconds=START_SECONDS, alive=[process])

    def await_offers(self) -> None:
        """Return once the orders have heard of each product: nobody can put it into a cart before."""
        until(lambda: self.rows(NOT_OFFERED) == [(0,)], self.log_tail, seconds=START_SECONDS)

    def kill_one(self, name: str) -> None:
        """As a power cut would."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop_all(self) -> dict[str, int]:
        """Ask all to leave at once; the exit code of each. One that does not leave in time is killed, and raises."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(STOP_DEADLINE_SECONDS) for name, process in self.processes.items()}

    def kill(self) -> None:
        for name in list(self.processes):
            self.kill_one(name)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._database_url) as database:
            return database.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def log_tail(self) -> str:
        return "\n".join(f"--- {log.stem}\n{log.read_text(errors='replace')[-2000:]}" for log in _logs(self.directory))


def _logs(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.log"))


WHOLE: Mapping[str, tuple[str, ...]] = {
    "pages": ("pages",),
    "live1": ("live",),
    "live2": ("live",),
    "relay1": ("relay",),
    "relay2": ("relay",),
    "handle1": ("handle",),
    "handle2": ("handle",),
    "poll1": ("poll",),
    "poll2": ("poll",),
}  # each role that one may double, doubled


@contextmanager
def running_split_site(directory: Path, servers: str, more: Mapping[str, str] = {}) -> Iterator[SplitSite]:
    """All roles, the payment provider and the feed, killed at the end. Skips where PostgreSQL is missing."""
    try:
        with temporary_cluster() as database_url:
            site = SplitSite(directory, database_url, servers, more)
            site.prepare()
            try:
                start_all(site)
                with FrontDoor(site.port, {"/ws/": site.address("live1"), "/": site.address("pages")}):
                    yield site
                    site.check_events()
            finally:
                site.kill()
    except PostgresMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))


def start_all(site: SplitSite) -> None:
    """Returns once pages and sockets are served, and each product can be ordered."""
    site.stand_in("simulator", "simulate_stations", f"--port={site.simulator_url.rpartition(':')[2]}")
    site.stand_in("company", "sandbox_provider")
    for name, role in WHOLE.items():
        site.play(name, *role)
    site.await_ready("pages", "live1", "live2")
    site.await_offers()
