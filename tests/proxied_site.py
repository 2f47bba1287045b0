"""A site behind the shipped proxy: real Caddy with the shipped Caddyfile, and replicas that are killed and replaced."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.free_ports import free_ports
from tests.live_site import ROOT, LiveSite
from tests.waiting import START_SECONDS, answers, until

END_SECONDS = 30  # as compose.yaml gives it
DOORS = ("pages", "live")  # roles that visitors reach
BEHIND = ("handle", "relay", "poll")


class Replica:
    """A process of the image in a role, at an address of its own."""

    def __init__(self, site: "ProxiedSite", role: str, address: str) -> None:
        self.role, self.address = role, address
        self._site = site
        environment = site.environment | {"LISTEN_HOST": address, "PORT": str(site.door), "WEB_CONCURRENCY": "1"}
        with (site.directory / f"{role}-{address}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "docker-entrypoint", role],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def serves(self) -> bool:
        """Whether visitors can be sent to it. What has no door needs none."""
        assert self._process.poll() is None, self._site.logs()
        return self.role not in DOORS or answers(f"http://{self.address}:{self._site.door}/health/ready")

    def runs(self) -> bool:
        return self._process.poll() is None

    def end(self, how: signal.Signals) -> None:
        """As a container ends: SIGTERM goes to its first process, SIGKILL to all of them."""
        if how == signal.SIGKILL:
            os.killpg(self._process.pid, how)
        else:
            self._process.send_signal(how)
        self._process.wait(END_SECONDS)


class ProxiedSite(LiveSite):
    """`url` is the proxy's, which reads the shipped Caddyfile as it is. Roles that visitors reach have two replicas.

    The bus is in memory, or over the brokers that `kafka` names.
    """

    def __init__(self, directory: Path, kafka: str = "") -> None:
        self.door, company, self._admin = free_ports(3)
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        super().__init__(directory, {"DEMO": "0", "RUN_BUS_IN_SERVER": "0", "TRUST_PROXY": "1", "PATH": binaries})
        self.environment["SANDBOX_PROVIDER_URL"] = f"http://127.0.0.1:{company}"
        addresses = (f"127.0.0.{number}" for number in itertools.count(2))
        self._addresses = {role: [next(addresses), next(addresses)] for role in (*DOORS, *BEHIND)}
        if kafka:
            prefix = f"{uuid4().hex[:8]}."
            self.environment |= {
                "EVENTBUS_BACKEND": "kafka",
                "KAFKA_BOOTSTRAP_SERVERS": kafka,
                "KAFKA_PREFIX": prefix,
            }
        self.replicas: dict[str, list[Replica]] = {}

    def start_replica(self, role: str) -> Replica:
        """Where none of its role is."""
        others = self.replicas.setdefault(role, [])
        free = [one for one in self._addresses[role] if one not in {other.address for other in others}]
        others.append(Replica(self, role, free[0]))
        return others[-1]

    def replace(self, role: str, how: signal.Signals) -> None:
        """End the oldest replica of a role, and return once another serves in its place."""
        self.replicas[role].pop(0).end(how)
        await_all([self.start_replica(role)])

    @contextmanager
    def running(self) -> Iterator[None]:
        """The replicas behind the proxy."""
        try:
            await_all([self.start_replica(role) for role in DOORS for _ in range(2)])
            with self._proxy():
                yield
                self.check_events()
        finally:
            self.close()

    @contextmanager
    def _proxy(self) -> Iterator[None]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "CADDY_VERSION": buffers(),
            "CADDY_ADMIN": f"127.0.0.1:{self._admin}",
            "SITE_URL": self.url,
            "SANDBOX_PROVIDER_URL": self.environment["SANDBOX_PROVIDER_URL"],
            **{role.upper(): " ".join(f"{one}:{self.door}" for one in self._addresses[role]) for role in DOORS},
        }
        command = [caddy(), "run", "--config", str(ROOT / "Caddyfile"), "--adapter", "caddyfile"]
        with (self.directory / "caddy.log").open("ab") as log:
            proxy = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.directory)
        try:
            until(lambda: answers(f"{self.url}/health/live"), self.logs, seconds=START_SECONDS)
            yield
        finally:
            proxy.kill()
            proxy.wait()

    def close(self) -> None:
        for replica in itertools.chain.from_iterable(self.replicas.values()):
            if replica.runs():
                replica.end(signal.SIGKILL)

    def logs(self) -> str:
        found = sorted(self.directory.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in found)


def caddy() -> str:
    """The program; a machine without it skips the test at home."""
    found = shutil.which("caddy")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("caddy is missing (Debian: apt install caddy)")
    return found


def buffers() -> str:
    """What CADDY_VERSION says for the Caddy of this machine."""
    told = subprocess.run([caddy(), "version"], capture_output=True, text=True, check=True).stdout
    numbers = re.search(r"(\d+)\.(\d+)", told)
    assert numbers, told
    return "2_8" if (int(numbers[1]), int(numbers[2])) >= (2, 8) else "2_6"


def await_all(replicas: list[Replica]) -> None:
    for replica in replicas:
        until(replica.serves, replica._site.logs, seconds=START_SECONDS)
