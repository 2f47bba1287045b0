"""compose.yaml as it runs: the shop sells, each container has what it needs, and a stranger in one gets no further.

It takes some minutes, and root: `make containers`.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from pwd import getpwnam
from typing import Any
from uuid import uuid4

import polib
import pytest
import yaml

from tests.containers.container import CGROUPS, Box
from tests.containers.images import ROOT, Image, of_site, others
from tests.containers.service_settings import Told, services
from tests.schema_validation import OUTBOX, assert_outbox_fits
from tests.temporary_folders import throwaway_folder
from tests.test_image import DOCKERFILE

pytestmark = pytest.mark.containers
SECRETS = (
    *("SECRET_KEY", "SANDBOX_PROVIDER_KEY", "SANDBOX_WEBHOOK_SECRET", "POSTGRES_PASSWORD"),
    *("KAFKA_ADMIN_PASSWORD", "KAFKA_RELAY_PASSWORD", "KAFKA_SITE_PASSWORD"),
)
START_SECONDS = 180  # for one container on a busy machine
STOP_SECONDS = 30  # as compose.yaml gives them
PROGRAMS = ("ip", "unshare", "nsenter", "setpriv", "caddy", "java", "mvn")


def ip(*arguments: str) -> None:
    """Raises RuntimeError with what `ip` says."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Wires:
    """`host` is the namespace with the bridges, as the machine with the Docker engine is. Close it."""

    def __init__(self, prefix: str, networks: Iterable[str]) -> None:
        self._prefix = prefix
        self.host = f"{prefix}host"
        self._made = [self.host]
        self._cables = count(1)
        self._numbers = {network: count(2) for network in networks}
        self._subnets = {network: f"10.231.{at}" for at, network in enumerate(self._numbers, start=1)}
        ip("netns", "add", self.host)
        ip("-n", self.host, "link", "set", "lo", "up")
        for network in self._numbers:
            ip("-n", self.host, "link", "add", f"br-{network}", "type", "bridge")
            ip("-n", self.host, "link", "set", f"br-{network}", "up")
            ip("-n", self.host, "address", "add", f"{self._subnets[network]}.1/24", "dev", f"br-{network}")

    def namespace(self, name: str) -> str:
        """A new one with loopback alone."""
        made = f"{self._prefix}{name}"
        ip("netns", "add", made)
        self._made.append(made)
        ip("-n", made, "link", "set", "lo", "up")
        return made

    def address(self, network: str) -> str:
        """One that nobody has."""
        return f"{self._subnets[network]}.{next(self._numbers[network])}"

    def join(self, namespace: str, network: str, address: str) -> None:
        """Lay a cable from there to the network's bridge."""
        number = next(self._cables)
        ends = f"veth{number}", f"eth{number}"
        ip("-n", self.host, "link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", namespace)
        ip("-n", self.host, "link", "set", ends[0], "master", f"br-{network}", "up")
        ip("-n", namespace, "address", "add", f"{address}/24", "dev", ends[1])
        ip("-n", namespace, "link", "set", ends[1], "up")

    def close(self) -> None:
        """All of it is gone."""
        for name in self._made:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def why_not() -> str:
    """Why this machine can do none of it; empty if it may."""
    if os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid():
        return "namespaces are root's to make"
    if not all(folder.stat().st_mode & 0o001 for folder in Path(sys.executable).resolve().parents):
        return "this Python lies where only root may go"
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


# --- tests ---

ONCE = {"setup", "acls"}
NET_BIND_SERVICE = 1 << 10
SHOPPING_SECONDS = 300
CONNECTS = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
# The outbox, whose rows this process judges: the containers have no validator.
READS = f"""
import json
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("{OUTBOX}")
    print(json.dumps([(row, name, bytes(payload).hex()) for row, name, payload in cursor.fetchall()]))
"""
# Somebody in a container of the site's, with that container's own password.
WRITES = """
import os, sys
from confluent_kafka import Producer
how, password, codec = (*sys.argv[1:], *("", "", "none")[len(sys.argv) - 1 :])
told = {"bootstrap.servers": "kafka:9092", "security.protocol": how, "compression.type": codec}
if how.startswith("SASL"):
    told |= {"sasl.mechanism": "PLAIN", "sasl.username": os.environ["KAFKA_SASL_USERNAME"]}
    told |= {"sasl.password": password or os.environ["KAFKA_SASL_PASSWORD"]}
said = []
producer = Producer({**told, "message.timeout.ms": 8000}, error_cb=lambda error: said.append(error.name()))
tell = lambda error, message: said.append(error.name() if error else "WRITTEN")
producer.produce("mcommerce.payment", b"{}" * 500, on_delivery=tell)
producer.flush(15)
print(*said)
"""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    if why := why_not():
        pytest.skip(why)
    with throwaway_folder("containers-", on_disk=True) as folder:
        folder.chmod(0o755)
        with running(folder) as world:
            for box in lasting(world):
                box.wait_until_healthy(START_SECONDS)
            yield world


def lasting(world: World) -> list[Box]:
    return [box for box in world.all() if box.told.name not in ONCE]


def one(world: World, name: str) -> Box:
    return world.boxes[name][0]


def status_of(box: Box) -> dict[str, str]:
    text = Path(f"/proc/{box.pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s+(.*)$", text, re.MULTILINE))


def test_the_shop_sells_through_the_proxy(world: World) -> None:
    filled = one(world, "pages").exec("python", "docker-entrypoint", "manage", "load_demo_catalogue")
    assert filled.returncode == 0, filled.stderr

    done = world.visit("python", "-m", "tests.containers.shopper", "1", timeout=SHOPPING_SECONDS)

    assert done.returncode == 0, done.stdout + done.stderr + one(world, "proxy").tail()
    assert done.stdout.startswith("Paid ")


def test_each_event_of_the_shop_fits_its_schema(world: World) -> None:
    told = one(world, "handle").exec("python", "manage.py", "shell", "--verbosity=0", "--command", READS)
    assert told.returncode == 0, told.stderr
    rows = [(row, name, bytes.fromhex(payload)) for row, name, payload in json.loads(told.stdout)]

    assert "order.paid.v1" in {name for _row, name, _payload in rows}
    assert_outbox_fits(rows)


def test_the_bus_is_well_and_everybody_says_so(world: World) -> None:
    """Soon after the start: the brokers give the partitions out first."""
    deadline = time.monotonic() + START_SECONDS
    while (said := one(world, "handle").exec("python", "manage.py", "eventbus", "status")).returncode:
        assert time.monotonic() < deadline, said.stdout + said.stderr

    assert [wrong for box in lasting(world) if (wrong := box.health(box.told.health))] == []


def test_no_process_has_a_capability_or_can_gain_one(world: World) -> None:
    for box in lasting(world):
        found = status_of(box)
        allowed = NET_BIND_SERVICE if box.told.name == "proxy" else 0

        assert {int(found[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} <= {0, allowed}, box.name
        assert found["NoNewPrivs"] == "1", box.name
        assert box.told.name == "proxy" or not found["Uid"].startswith("0"), box.name


def test_nothing_can_be_written_but_volumes_and_scratch(world: World) -> None:
    for box in lasting(world):
        for place in (box.image.workdir, "/usr/bin", "/etc"):
            done = box.exec("touch", f"{place}/planted", user=False)

            assert "Read-only file system" in done.stderr, f"{box.name} {place}: {done.stderr}"


def test_the_sandbox_has_no_key_of_the_sites_and_reaches_no_server_of_it(world: World) -> None:
    sandbox, pages = one(world, "sandbox"), one(world, "pages")
    seen = Path(f"/proc/{sandbox.pid}/environ").read_text()
    seen += sandbox.exec("sh", "-c", "cat $(find /var/lib/mcommerce /tmp -type f -size -1M)").stdout

    shared = {"SANDBOX_PROVIDER_KEY", "SANDBOX_WEBHOOK_SECRET"}
    assert [name for name, value in world.values.items() if name not in shared and value in seen] == []
    assert "sandbox-provider.sqlite3" in sandbox.exec("ls", "/var/lib/mcommerce").stdout
    for box in (sandbox, pages):
        assert box.exec("find", "/var/lib/mcommerce", "/tmp", "-type", "s").stdout == "", "a server's control socket"


@pytest.mark.parametrize(("name", "port"), [("kafka", 9092), ("postgres", 5432)])
@pytest.mark.parametrize("who", ["proxy", "sandbox"])
def test_a_stranger_reaches_neither_database_nor_brokers(world: World, who: str, name: str, port: int) -> None:
    there = world.address("back", name)
    python = one(world, "pages").exec("sh", "-c", "command -v python").stdout.strip()

    by_name = one(world, who).exec(python, "-c", CONNECTS, name, str(port))
    by_address = one(world, who).exec(python, "-c", CONNECTS, there, str(port))
    from_within = one(world, "handle").exec(python, "-c", CONNECTS, name, str(port))

    assert by_name.returncode and by_address.returncode
    assert "Network is unreachable" in by_address.stderr
    assert from_within.returncode == 0, from_within.stderr


@pytest.mark.parametrize("who", ["pages", "live", "handle", "poll"])
def test_who_serves_or_handles_cannot_write_to_the_brokers(world: World, who: str) -> None:
    done = one(world, who).exec("python", "-c", WRITES, "SASL_PLAINTEXT")

    assert "TOPIC_AUTHORIZATION_FAILED" in done.stdout and "WRITTEN" not in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("how", [("PLAINTEXT",), ("SASL_PLAINTEXT", "guessed")], ids=["without a name", "by guessing"])
def test_the_brokers_ask_who_it_is(world: World, how: tuple[str, ...]) -> None:
    done = one(world, "relay").exec("python", "-c", WRITES, *how)

    assert "WRITTEN" not in done.stdout
    assert re.search("_AUTHENTICATION|_MSG_TIMED_OUT|_TRANSPORT|_ALL_BROKERS_DOWN", done.stdout), (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_the_relays_user_may_write_however_it_compresses(world: World, codec: str) -> None:
    done = one(world, "relay").exec("python", "-c", WRITES, "SASL_PLAINTEXT", "", codec)

    assert done.stdout.split()[-1:] == ["WRITTEN"], done.stdout + done.stderr


def test_no_log_has_a_secret(world: World) -> None:
    for box in world.all():
        said = box.log.read_text(errors="replace")

        assert [name for name, value in world.values.items() if value in said] == [], box.name


def test_each_leaves_in_order_when_asked(world: World) -> None:
    """Last: nothing runs afterwards."""
    for box in reversed(lasting(world)):
        code = box.stop(2 * STOP_SECONDS if box.told.name == "kafka" else STOP_SECONDS)

        assert code in (0, 143), f"{box.name}: {code}\n{box.tail()}"  # Java says by 143 that it was asked
