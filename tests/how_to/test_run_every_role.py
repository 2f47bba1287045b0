"""`docs/how-to/run-every-role-without-docker.md`: its commands start every role, and a visitor is served."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from uuid import uuid4

import pytest

from tests.free_ports import free_ports
from tests.how_to import DOCS
from tests.waiting import until

pytestmark = pytest.mark.sites

ROOT = DOCS.parent
PAGE = (DOCS / "how-to" / "run-every-role-without-docker.md").read_text()
BLOCK = re.compile(r"^```sh(?: ([\w-]+))?(?: ([\w-]+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TYPED = {(chapter, name): code for chapter, name, code in BLOCK.findall(PAGE)}
DEADLINE_SECONDS = 300  # to start seven Python processes on a loaded two-core machine
LOOK_SECONDS = 0.2


def test_every_role_of_the_operations_page_is_started() -> None:
    table = (DOCS / "operations.md").read_text().partition("| role | is |")[2].partition("\n\n")[0]
    roles = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) - {"all", "manage"}

    assert roles == set(re.findall(r"docker-entrypoint (\w+)", PAGE))


@pytest.mark.sites
def test_in_memory_each_role_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    terminals = Terminals(tmp_path)
    terminals.type("")
    terminals.type("in-memory")
    with terminals.running(*(("in-memory", name) for name in MEMORY)):
        terminals.await_served()
        assert terminals.roles() == {"relay", "poll", "live", "pages"}
        assert terminals.type("in-memory", "status").count("dispatched: yes") == 1
    assert terminals.misfits() == []


@pytest.mark.sites
def test_over_kafka_the_relay_is_a_process_too(tmp_path: Path, kafka: str) -> None:
    terminals = Terminals(tmp_path, kafka)
    terminals.type("")
    terminals.type("kafka")
    with terminals.running(*(("kafka", name) for name in KAFKA), *(("in-memory", name) for name in SHARED)):
        terminals.await_served()
        assert terminals.roles() == {"relay", "handle", "poll", "live", "pages"}
    assert terminals.misfits() == []


def test_each_block_is_typed() -> None:
    typed = {("", ""), ("in-memory", ""), ("in-memory", "status"), ("kafka", "")}
    typed |= {("in-memory", name) for name in MEMORY} | {("kafka", name) for name in KAFKA}

    assert TYPED.keys() - typed == {("kafka", "broker")}
    assert TYPED["kafka", "broker"] == "make kafka\n", "tests/kafka/test_make_kafka.py starts it"


SHARED = ("provider", "simulator", "poll", "live", "pages")
MEMORY = (*SHARED, "handle")
KAFKA = ("relay", "handle", "handle-2")


class Terminals:
    """Terminals in which the page's commands are typed, with ports, settings and data of the test's own."""

    def __init__(self, folder: Path, kafka: str = "") -> None:
        self.folder = folder
        self.ports = dict(zip(("8000", "8001", "8002", "8003"), map(str, free_ports(4)), strict=True))
        self.kafka = kafka
        self.begun: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = {**kept, "VAR_DIR": str(folder / "var"), "KAFKA_PREFIX": f"{uuid4().hex[:8]}."}

    def type(self, chapter: str, name: str = "") -> str:
        """Type a block, and return what it says once it has ended well."""
        told = subprocess.run(
            ["sh", "-ec", self._fitted(chapter, name)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        assert told.returncode == 0, told.stdout
        return told.stdout

    def _fitted(self, chapter: str, name: str) -> str:
        """The block, for this test: the packages are there, and the ports are free."""
        code = TYPED[chapter, name].replace("make install\n", "")
        code = code.replace(". .venv/bin/activate", f"PATH={Path(sys.executable).parent}:$PATH")
        code = code.replace("127.0.0.1:9092", self.kafka).replace("var/roles.env", f"{self.folder}/roles.env")
        return re.sub(r"\b800[0-3]\b", lambda found: self.ports[found[0]], code)

    @contextmanager
    def running(self, *blocks: tuple[str, str]) -> Iterator[None]:
        """Type each block into a terminal of its own; all are ended by Ctrl-C."""
        try:
            for block in blocks:
                with (self.folder / f"{'-'.join(block)}.log").open("wb") as log:
                    self.begun[block] = subprocess.Popen(
                        ["sh", "-ec", self._fitted(*block)],
                        cwd=ROOT,
                        env=self.environment,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
            yield
        finally:
            for one in self.begun.values():
                os.killpg(one.pid, signal.SIGTERM)
            for one in self.begun.values():
                one.wait(DEADLINE_SECONDS)

    def await_served(self) -> None:
        """Return once both servers answer, and nothing is wrong with the bus."""
        self._await(lambda: all(b"Mcommerce" in self._page(port) for port in ("8000", "8003")))
        self._await(lambda: self._status()["problems"] == [])

    def roles(self) -> set[str]:
        return {process["role"] for process in self._status()["processes"]}

    def misfits(self) -> list[str]:
        """The rows of the site's outbox that do not fit the JSON Schemas of their events."""
        code = f". {self.folder}/roles.env; python -m tests.outbox_check"
        told = subprocess.run(["sh", "-ec", code], cwd=ROOT, env=self.environment, capture_output=True, text=True)
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout.splitlines()

    def _page(self, port: str) -> bytes:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}/", timeout=10) as page:
                return bytes(page.read())
        except (URLError, OSError):
            return b""

    def _status(self) -> dict[str, list]:
        code = f". {self.folder}/roles.env; python manage.py eventbus status --json"
        told = subprocess.run(["sh", "-c", code], cwd=ROOT, env=self.environment, capture_output=True, text=True)
        return json.loads(told.stdout)

    def _await(self, holds) -> None:
        until(holds, self._logs, seconds=DEADLINE_SECONDS, look=LOOK_SECONDS, alive=self.begun.values())

    def _logs(self) -> str:
        return "\n".join(f"--- {log.stem}\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))
