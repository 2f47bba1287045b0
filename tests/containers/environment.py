"""All containers of compose.yaml, begun in their order and ended in the other."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pwd import getpwnam
from typing import Any
from uuid import uuid4

import polib
import yaml

from tests.containers.container import CGROUPS, Box
from tests.containers.images import ROOT, Image, Missing, of_site, others
from tests.containers.networks import Wires
from tests.containers.service_settings import Told, services
from tests.test_image import DOCKERFILE

SECRETS = (
    *("SECRET_KEY", "SANDBOX_PROVIDER_KEY", "SANDBOX_WEBHOOK_SECRET", "POSTGRES_PASSWORD"),
    *("KAFKA_ADMIN_PASSWORD", "KAFKA_RELAY_PASSWORD", "KAFKA_SITE_PASSWORD"),
)
START_SECONDS = 180  # for one container on a busy machine
STOP_SECONDS = 30  # as compose.yaml gives them
PROGRAMS = ("ip", "unshare", "nsenter", "setpriv", "caddy", "java", "mvn")


def why_not() -> str:
    """Why this machine can do none of it; empty if it may."""
    if os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid():
        return "namespaces are root's to make"
    if lacking := [name for name in PROGRAMS if not shutil.which(name)]:
        return f"there is no {', '.join(lacking)}"
    if not all(os.access(CGROUPS / kind, os.W_OK) for kind in ("memory", "pids")):
        return "limits of memory cannot be set here (cgroup v1)"
    done = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "namespaces cannot be made here"


class World:
    """`values` are the secrets that were drawn for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.values = {name: secrets.token_hex(24) for name in SECRETS}
        self.compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
        self.compose["services"]["proxy"]["environment"]["CADDY_VERSION"] = _caddys()
        self.told = services(self.compose, self.values)
        self._images = others({"postgres": getpwnam("postgres").pw_uid})
        self._site = self._build()
        self.wires = Wires(f"mc{uuid4().hex[:5]}-", self.compose["networks"])
        self.boxes: dict[str, list[Box]] = {}
        self._addresses: dict[tuple[str, str], list[str]] = {}
        self._volumes = self._make_volumes()

    def _build(self) -> Image:
        """What the Dockerfile makes of the tree."""
        tree = self.folder / "tree"
        tree.mkdir()
        packed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in packed.decode().split("\0"):
            if name and (ROOT / name).is_file() and not name.startswith(("tests/", "benchmarks/", "docs/", ".ci")):
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, tree / name)
        for po in tree.rglob("*.po"):
            polib.pofile(str(po)).save_as_mofile(str(po.with_suffix(".mo")))
        lines = [line for line in DOCKERFILE.splitlines() if line.startswith("ENV ")]
        environment = dict(pair.split("=", 1) for line in lines for pair in line.removeprefix("ENV ").split())
        uid = int(DOCKERFILE.partition("--uid ")[2].split()[0])
        return of_site(tree, uid, environment)

    def _make_volumes(self) -> dict[str, Path]:
        made = {name: self.folder / "volumes" / name for name in self.compose["volumes"]}
        for path in made.values():
            path.mkdir(parents=True)
        return made | {"./Caddyfile": self._site.folders["/srv/mcommerce"] / "Caddyfile"}

    def image(self, told: Told) -> Image:
        """Of its service."""
        if told.image == "mcommerce":
            return self._site
        return next(image for name, image in self._images.items() if told.image.startswith(name))

    def lay(self) -> None:
        """Namespaces, cables and addresses, before anything runs: a container finds the others by their names."""
        for told in self.told.values():
            self.boxes[told.name] = [self._box(told, number) for number in range(1, told.replicas + 1)]

    def _box(self, told: Told, number: int) -> Box:
        if told.shares_network_of:
            namespace = self.boxes[told.shares_network_of][0].namespace
        else:
            namespace = self.wires.namespace(f"{told.name}{number}")
        for network, aliases in told.networks.items():
            address = self.wires.address(network)
            self.wires.join(namespace, network, address)
            for name in (told.name, f"{self.compose['name']}-{told.name}-{number}", *aliases):
                self._addresses.setdefault((network, name), []).append(address)
        return Box(told, number, self.image(told), namespace, self.folder / "boxes")

    def hosts(self, networks: Any) -> str:
        """What Docker's name server would say to who is on these."""
        there = [(name, found) for (network, name), found in self._addresses.items() if network in networks]
        return "\n".join(["127.0.0.1 localhost", *(f"{at} {name}" for name, found in there for at in found)])

    def address(self, network: str, name: str) -> str:
        """Of its first container."""
        return self._addresses[network, name][0]

    def start(self, *names: str) -> None:
        """Each once those before it are as it wants them. Raises RuntimeError."""
        for name in names or self._in_order():
            told = self.told[name]
            for one, how in told.after.items():
                for box in self.boxes[one]:
                    if how == "service_healthy":
                        box.wait_until_healthy(START_SECONDS)
                    elif how == "service_completed_successfully":
                        box.wait_until_done(START_SECONDS)
            networks = told.networks or self.told[told.shares_network_of].networks
            for box in self.boxes[name]:
                box.start(self.hosts(networks), self._volumes)

    def _in_order(self) -> list[str]:
        order: list[str] = []
        while len(order) < len(self.told):
            left = [told for told in self.told.values() if told.name not in order]
            order += [told.name for told in left if set(told.after) <= set(order)]
        return order

    def visit(self, *command: str, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a command on the machine outside, where names below .localhost are the proxy's published ports."""
        hosts = self.folder / "hosts"
        hosts.write_text(self.hosts(["front"]))
        script = f'mount --bind {hosts} /etc/hosts; exec "$@"'
        own = ["ip", "netns", "exec", self.wires.host, "unshare", "--mount", "sh", "-ec", script, "sh"]
        path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        return subprocess.run(
            [*own, *command], cwd=ROOT, env=path, capture_output=True, text=True, timeout=timeout, check=False
        )

    def all(self) -> list[Box]:
        """Every container, in the order in which they begin."""
        return [box for name in self._in_order() if name in self.boxes for box in self.boxes[name]]

    def close(self) -> None:
        """Nothing is left."""
        for box in reversed(self.all()):
            box.stop(STOP_SECONDS)
            box.forget()
        self.wires.close()


def _caddys() -> str:
    """Of which version the Caddy of this machine is, as the Caddyfile calls it."""
    said = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=True).stdout
    return "2_6" if said.lstrip("v").startswith(("2.6", "2.7")) else "2_8"


@contextmanager
def running(folder: Path) -> Iterator[World]:
    """Raises Missing, RuntimeError."""
    world = World(folder)
    try:
        world.lay()
        world.start()
        yield world
    finally:
        world.close()


__all__ = ["Missing", "World", "running", "why_not"]
