"""A server that visitors should not be sent to says so within ten seconds, by the name of what is wrong, and recovers.

Everything is real: a server process in a role of the image, a full disk, held locks, a broker that is stopped.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.free_ports import free_ports
from tests.full_disk import fill, small_disk
from tests.kafka import Cluster
from tests.live_site import ROOT, LiveSite
from tests.postgres import PostgresMissing, stoppable_cluster, temporary_cluster
from tests.temporary_folders import throwaway_folder
from tests.waiting import START_SECONDS

pytestmark = pytest.mark.sites

TOLD_SECONDS = 10.0  # promised for a fault and for its end
LOADED = 3.0  # times as long on a machine that runs other tests beside this one
LOOK_SECONDS = 0.1
OUTBOX_SECONDS = 3
TOKEN = "a-token-of-this-test-only"
SMALL_DISK = "size=300k"  # of uploads alone


class Server:
    """The role `pages` of the image, on a port of its own, as `site` describes it."""

    def __init__(self, site: LiveSite, **environment: str) -> None:
        self.site = site
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}/health/ready"
        own = {"PORT": str(port), "LISTEN_HOST": "127.0.0.1", "DEMO": "0", "WEB_CONCURRENCY": "1"}
        own |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HEALTH_TOKEN": TOKEN}
        own |= {"READY_OUTBOX_SECONDS": str(OUTBOX_SECONDS)}
        with site.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "docker-entrypoint", "pages"],
                cwd=ROOT,
                env=site.environment | own | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ask(self, **headers: str) -> tuple[int, dict[str, object]]:
        """The answer's status and what it says; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)
        except OSError:
            return 0, {}

    def says(self, status: int, *failing: str, seconds: float = TOLD_SECONDS * LOADED) -> None:
        """Return once it says so; fail when it does not in time."""
        deadline = time.monotonic() + seconds
        wanted = {"status": "unavailable", "failing": [*failing]} if failing else {"status": "ok"}
        while (told := self.ask()) != (status, wanted):
            assert self._process.poll() is None, self.site.log_tail()
            assert time.monotonic() < deadline, f"{told}, not {(status, wanted)}\n{self.site.log_tail()}"
            time.sleep(LOOK_SECONDS)

    def detail(self, part: str) -> str:
        _, told = self.ask(Authorization=f"Bearer {TOKEN}")
        checks = told["checks"]
        assert isinstance(checks, dict)
        return str(checks[part])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def running(site: LiveSite, **environment: str) -> Iterator[Server]:
    server = Server(site, **environment)
    try:
        server.says(200, seconds=START_SECONDS)
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database, to be copied."""
    site = LiveSite(tmp_path_factory.mktemp("prepared"))
    site.manage("migrate", "--verbosity=0")
    return site.database_path


@pytest.fixture(scope="module")
def on_sqlite(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    site = LiveSite(tmp_path_factory.mktemp("site"))
    shutil.copy(prepared, site.database_path)
    with small_disk(site.directory / "var" / "media", SMALL_DISK), running(site) as server:
        yield server


def test_a_full_disk_of_uploads_is_told_and_its_end_too(on_sqlite: Server) -> None:
    media = on_sqlite.site.directory / "var" / "media"

    filler = fill(media)
    on_sqlite.says(503, "disk")

    assert on_sqlite.detail("disk") == f"{media} cannot be written: No space left on device"
    filler.unlink()
    on_sqlite.says(200)


def test_a_write_lock_that_another_program_holds_is_told_and_its_end_too(on_sqlite: Server) -> None:
    with closing(sqlite3.connect(on_sqlite.site.database_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        on_sqlite.says(503, "database")

        assert on_sqlite.detail("database").startswith("locked (database is locked")
        other.execute("ROLLBACK")
    on_sqlite.says(200)


def test_an_event_that_nobody_relays_is_told_and_its_end_too(on_sqlite: Server) -> None:
    with closing(sqlite3.connect(on_sqlite.site.database_path)) as database:
        database.execute(
            "INSERT INTO eventbus_outbox (event_id, topic, key, type, payload, headers, created_at, rejected)"
            " VALUES (?, 'orders', 'order-1', 'order.placed.v1', x'7b7d', '{}', datetime('now'), '')",
            [uuid4().hex],
        )
        database.commit()
        on_sqlite.says(503, "outbox")

        assert "manage.py eventbus status says whether somebody relays" in on_sqlite.detail("outbox")
        database.execute("DELETE FROM eventbus_outbox")
        database.commit()
    on_sqlite.says(200)


def test_a_database_that_was_never_migrated_is_told(on_sqlite: Server, prepared: Path) -> None:
    with closing(sqlite3.connect(on_sqlite.site.database_path)) as database:
        [row] = database.execute("SELECT * FROM django_migrations WHERE app = 'stations'").fetchall()[-1:]
        database.execute("DELETE FROM django_migrations WHERE id = ?", row[:1])
        database.commit()
        on_sqlite.says(503, "database")

        assert on_sqlite.detail("database") == "not migrated: run manage.py migrate"
        database.execute("INSERT INTO django_migrations VALUES (?, ?, ?, ?)", row)
        database.commit()
    on_sqlite.says(200)


def test_a_stranger_and_who_guesses_read_no_detail(on_sqlite: Server) -> None:
    assert on_sqlite.ask() == on_sqlite.ask(Authorization="Bearer guessed") == (200, {"status": "ok"})
    assert on_sqlite.ask(Authorization="Bearer ") == (200, {"status": "ok"})


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    try:
        with temporary_cluster() as url:
            site = LiveSite(tmp_path_factory.mktemp("postgres-site"), {"DATABASE_URL": url})
            site.manage("migrate", "--verbosity=0")
            with running(site) as server:
                yield server
    except PostgresMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))


@pytest.mark.parametrize(
    ("table", "mode"),
    [("orders_order", "ACCESS EXCLUSIVE"), ("orders_order", "SHARE"), ("django_session", "ACCESS EXCLUSIVE")],
)
def test_a_table_that_somebody_holds_is_told_by_name_and_its_end_too(
    on_postgres: Server, table: str, mode: str
) -> None:
    with psycopg.connect(on_postgres.site.environment["DATABASE_URL"]) as other:
        other.execute(f"LOCK TABLE {table} IN {mode} MODE")
        on_postgres.says(503, "tables")

        told = f"{table} by server process {other.info.backend_pid}"
        assert told in on_postgres.detail("tables")
        other.rollback()
    on_postgres.says(200)


def test_a_server_that_takes_no_writes_is_told_and_its_end_too(on_postgres: Server) -> None:
    with psycopg.connect(on_postgres.site.environment["DATABASE_URL"], autocommit=True) as operator:
        stop_old = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        operator.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        operator.execute(stop_old)
        on_postgres.says(503, "database")

        assert on_postgres.detail("database").startswith("read-only: ")
        operator.execute("SET default_transaction_read_only = off")
        operator.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
        operator.execute(stop_old)
    on_postgres.says(200)


def test_a_full_disk_of_the_database_server_is_told_and_its_end_too(tmp_path: Path) -> None:
    with throwaway_folder("disk-") as place, small_disk(place / "disk", "size=160m") as disk:
        place.chmod(0o755)  # PostgreSQL's own user passes through it
        try:
            with stoppable_cluster(within=disk) as cluster:
                is_told_of_the_servers_disk(disk, LiveSite(tmp_path, {"DATABASE_URL": cluster.url}))
        except PostgresMissing as missing:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))


def is_told_of_the_servers_disk(disk: Path, site: LiveSite) -> None:
    site.manage("migrate", "--verbosity=0")
    with running(site) as server:
        filler = fill(disk)
        server.says(503, "database")

        assert server.detail("database").startswith("its disk is full (")
        filler.unlink()
        server.says(200)


def test_a_broker_that_is_away_is_told_and_its_return_too(fresh_kafka: Cluster, tmp_path: Path) -> None:
    environment = {
        "EVENTBUS_BACKEND": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": fresh_kafka.bootstrap_servers,
        "KAFKA_PREFIX": f"{uuid4().hex[:8]}.",
    }
    site = LiveSite(tmp_path, environment)
    site.manage("eventbus", "topics", "--apply")
    site.manage("migrate", "--verbosity=0")
    with running(site) as server:
        fresh_kafka.stop()
        server.says(503, "broker")

        fresh_kafka.start()
        server.says(200)
