"""A real server process for tests: `manage.py runserver` on ports and a database of its own.

The process is the whole system as one person runs it at home: pages, sockets, bus, station poller, feed simulator and
the sandbox payment provider. It can be stopped, killed and started again on the same ports and database.
"""

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import environ
from pathlib import Path

from tests.free_ports import free_ports
from tests.waiting import START_SECONDS, answers, until

ROOT = Path(__file__).resolve().parent.parent
STOP_DEADLINE_SECONDS = 20  # SIGTERM lets handlers finish what is in hand
COMMAND_DEADLINE_SECONDS = 180  # migrate from nothing on the same machine
ASK_TIMEOUT_SECONDS = 5  # one look at /health/ready
ASK_PAUSE_SECONDS = 0.1  # between looks
LOG_TAIL_CHARACTERS = 6_000  # what a failing test shows
KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "VIRTUAL_ENV",
)  # the rest of our environment is not the site's


class LiveSite:
    """One site: a directory with its database, keys and log, and at most one server process.

    `environment` is added to (and may override) what the process sees.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None):
        self.directory = directory
        self.log_path = directory / "server.log"
        self.database_path = directory / "site.sqlite3"
        port, provider_port, simulator_port = free_ports(3)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.provider_url = f"http://127.0.0.1:{provider_port}"
        self.simulator_url = f"http://127.0.0.1:{simulator_port}"
        self.environment = {name: environ[name] for name in KEPT_VARIABLES if name in environ} | {
            "PYTHONUNBUFFERED": "1",
            "DEMO": "1",
            "DATABASE_URL": f"sqlite:///{self.database_path}",
            "VAR_DIR": str(directory / "var"),
            "SITE_URL": self.url,
            "SANDBOX_PROVIDER_URL": self.provider_url,
            "SIMULATOR_URL": self.simulator_url,
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def code(self) -> Path:
        """The folder of its code."""
        return ROOT

    def command(self) -> list[str]:
        """What starts its server."""
        return [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"]

    @property
    def origins(self) -> list[str]:
        """Where a browser may go on this site."""
        return [self.url, self.provider_url]

    def prepare(self) -> None:
        """Create the tables and load the demo catalogue."""
        self.manage("migrate", "--verbosity=0")
        self.manage("load_demo_catalogue")

    def manage(self, *arguments: str) -> str:
        """Run a management command on this site and return what it printed; raises with its output when it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.code,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_DEADLINE_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(arguments)} failed with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def start(self) -> None:
        """Start the server and return once it says it is ready."""
        assert self.process is None, "it runs already"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.code,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until(self.is_ready)

    def is_ready(self) -> bool:
        """Whether /health/ready answers 200 right now."""
        return answers(f"{self.url}/health/ready")

    def stop(self) -> int:
        """Ask it to leave (SIGTERM) and return its exit code; kills it when it does not leave in time, and raises."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL): nothing is finished, nothing is flushed."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def restart(self) -> None:
        """Stop it politely and start it again on the same ports and database."""
        self.stop()
        self.start()

    def rows(self, query: str, *parameters: object) -> list[tuple]:
        """What the site's database says, read from outside."""
        connection = sqlite3.connect(f"file:{self.database_path}?mode=ro", uri=True, timeout=ASK_TIMEOUT_SECONDS)
        try:
            return connection.execute(query, parameters).fetchall()
        finally:
            connection.close()

    def check_events(self) -> None:
        """Raise AssertionError if an event that the site has published does not fit its JSON Schema."""
        from tests.schema_validation import OUTBOX, assert_outbox_fits  # only now: it needs Django to be set up

        assert_outbox_fits(self.rows(OUTBOX))

    def wait_for_offers(self) -> None:
        """Return once orders knows every published product and its pieces: till then the pages still change."""
        missing = """
            SELECT count(*) FROM products_product AS product
            LEFT JOIN orders_offer AS offer ON offer.product_id = product.id
            WHERE product.published AND (for_sale IS NOT 1 OR available IS NULL)
        """
        self._wait_until(lambda: self.rows(missing) == [(0,)])

    def mailed(self, email: str, pattern: str) -> str:
        """What the latest mail to somebody says; without a mail server the site prints its mails into its log."""
        found: list[str] = []

        def look() -> list[str]:
            mail = self.log_path.read_text(errors="replace").rpartition(f"To: {email}")[2]
            found[:] = re.findall(pattern, mail, re.MULTILINE)
            return found

        self._wait_until(lambda: bool(look()))
        return found[0]

    def _wait_until(self, holds: Callable[[], bool]) -> None:
        """Look again and again. Kills the process and fails with its log when it ends before, or the deadline comes."""
        assert self.process is not None, "nothing runs"
        try:
            until(holds, self.log_tail, seconds=START_SECONDS, look=ASK_PAUSE_SECONDS, alive=[self.process])
        except AssertionError:
            self.kill()
            raise

    def log_tail(self) -> str:
        """The end of what the server printed."""
        return self.log_path.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:] if self.log_path.exists() else ""


@contextmanager
def running_site(
    directory: Path, *, prepared: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[LiveSite]:
    """A started site, killed at the end, once all of its catalogue can be bought.

    `prepared` is a database file to copy instead of migrating from nothing.
    """
    site = LiveSite(directory, environment)
    if prepared:
        shutil.copy(prepared, site.database_path)
    else:
        site.prepare()
    try:
        site.start()
        site.wait_for_offers()
        yield site
        site.check_events()
    finally:
        site.kill()
