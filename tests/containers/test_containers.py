"""compose.yaml as it runs: the shop sells, each container has what it needs, and a stranger in one gets no further.

It takes some minutes, and root: `make containers`.
"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.container import Box
from tests.containers.environment import START_SECONDS, STOP_SECONDS, World, running, why_not
from tests.schema_validation import OUTBOX, assert_outbox_fits
from tests.temporary_folders import throwaway_folder

pytestmark = pytest.mark.containers
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
