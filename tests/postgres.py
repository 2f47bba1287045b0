"""A PostgreSQL cluster of one's own for as long as a test run or a benchmark lasts, and nothing left behind."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.temporary_folders import throwaway_folder

START_SECONDS = 30  # a slow disk needs five
STOP_SECONDS = 15  # then it is killed: the cluster is thrown away anyway
STILL_HELD = "pre-existing shared memory block"  # what a server says that starts before a killed one's processes ended
MEMORY_SECONDS = 10.0  # until they have ended, on a loaded machine
# Faster, and no worse for data that nobody keeps.
FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgresMissing(Exception):
    """No `initdb` and `postgres` on this machine."""


class Cluster:
    """A server that can be stopped and started again. `url` is the DATABASE_URL of an empty database.

    It is reached by a socket in a private folder, so no port is taken.
    """

    def __init__(self, binaries: Path, folder: Path, *, durable: bool) -> None:
        self.url = f"postgres://postgres@{quote(str(folder), safe='')}/postgres"
        self._binaries, self._folder, self._durable = binaries, folder, durable
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._folder / ".s.PGSQL.5432"

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def log(self) -> str:
        """What it wrote since it was started."""
        return (self._folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Returns once it answers. What was killed may hold its memory for a moment longer: then it is tried again."""
        deadline = time.monotonic() + MEMORY_SECONDS
        while True:
            self._server = _start(self._binaries, self._folder, durable=self._durable)
            try:
                return _wait_until_ready(self._server, self._folder)
            except RuntimeError as error:
                if STILL_HELD not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)  # between two tries of a loop that has a deadline

    def stop(self) -> None:
        """Every connection is cut. Harmless when it does not run."""
        server, self._server = self._server, None
        if server is not None:
            _stop(server)

    def crash(self) -> None:
        """It ends at once ("immediate"): nothing is written any more, and its log is replayed at the next start."""
        server, self._server = self._server, None
        if server is not None:
            _stop(server, signal.SIGQUIT)

    def back_up(self) -> Path:
        """A copy of all that it holds, made by its own tool while everybody goes on. `restore` takes it, once."""
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        command = [str(self._binaries / "pg_basebackup"), f"--pgdata={copy}", f"--host={self._folder}"]
        command += ["--username=postgres", "--checkpoint=fast", "--no-sync"]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, **_identity())
        if done.returncode:
            raise RuntimeError(f"pg_basebackup failed: {done.stderr}")
        return copy

    def restore(self, copy: Path) -> None:
        """While it does not run: it holds what it held then, and has forgotten all since."""
        shutil.rmtree(self._folder / "data")
        copy.rename(self._folder / "data")

    def signal(self, number: signal.Signals) -> None:
        """To the server and everybody who works for it."""
        assert self._server is not None
        if number != signal.SIGCONT:
            self._server.send_signal(signal.SIGSTOP)  # so that it starts nobody meanwhile
        for pid in (self._server.pid, *children(self._server.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGKILL:
            server, self._server = self._server, None
            server.wait()


def children(parent: int) -> list[int]:
    """The processes that it has started and that still run."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


@contextmanager
def stoppable_cluster(*, durable: bool = False, within: Path | None = None) -> Iterator[Cluster]:
    """A running cluster, in a folder `within` another. Raises PostgresMissing.

    `durable` keeps it on a disk, with fsync on.
    """
    binaries = find_binaries()
    with throwaway_folder("postgres-", within=within, on_disk=durable) as folder:
        _hand_over(folder)
        _create(binaries, folder)
        cluster = Cluster(binaries, folder, durable=durable)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def temporary_cluster(*, durable: bool = False) -> Iterator[str]:
    """The DATABASE_URL of a running cluster's empty database. Raises PostgresMissing."""
    with stoppable_cluster(durable=durable) as cluster:
        yield cluster.url


def find_binaries() -> Path:
    """Where `initdb` and `postgres` are: Debian's newest version, or the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    for folder in [*debian, *on_path]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise PostgresMissing("no PostgreSQL server on this machine (Debian: apt install postgresql)")


def _identity() -> dict[str, str]:
    """PostgreSQL refuses to run as root: then it runs as the user its package made."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}


def _hand_over(folder: Path) -> None:
    if identity := _identity():
        shutil.chown(folder, **identity)


def _create(binaries: Path, folder: Path) -> None:
    command = [str(binaries / "initdb"), "--pgdata", str(folder / "data"), "--username=postgres", "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **_identity())
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")


def _start(binaries: Path, folder: Path, *, durable: bool) -> subprocess.Popen[bytes]:
    options = ["listen_addresses=", f"unix_socket_directories={folder}", "max_connections=200"]
    options += [] if durable else FORGETFUL
    command = [str(binaries / "postgres"), "-D", str(folder / "data")]
    for option in options:
        command += ["-c", option]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **_identity())


def _wait_until_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
            return
        time.sleep(0.05)  # between two tries of a poll that has a deadline
    raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()}")


def _stop(server: subprocess.Popen[bytes], how: signal.Signals = signal.SIGINT) -> None:
    server.send_signal(how)  # SIGINT is its "fast" shutdown: connections are cut, files are closed
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
