"""Backup and restore as docs/operations.md tells it: each command is run, and `reconcile` mends what then differs."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest
import requests

from mcommerce.payment.sandbox import serve
from tests.outbox_check import misfits_of
from tests.postgres import PostgresMissing, temporary_cluster
from tests.purchase_steps import GOOD_CARD

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = re.search(r"^## Backup and restore\n(.*?)^## ", (ROOT / "docs/operations.md").read_text(), re.S | re.M)
FENCED = re.compile(r"^ *```.*?\n(.*?)^ *```", re.S | re.M)  # whatever language it says it is in
SECTIONS = SAVE, RESTORE, RECONCILE = "Save", "Restore", "Reconcile"  # each drill types all of them
DRILLS = (("sqlite", False), ("postgresql", False), ("postgresql", True))  # the database, and whether over Kafka
BLOCKS = re.compile(r"^### (.*?)\n|^```sh\n(.*?)^```", re.S | re.M)
KEY, SECRET = "key-of-the-tests", "secret-of-the-tests"
# Orders that are paid after the backup, where Kafka remembers them: `make drill` has more.
FORGOTTEN = int(os.environ.get("FORGOTTEN_ORDERS", "5"))
SECONDS_MAX = 180 + 10 * FORGOTTEN  # of one command, on a busy machine


def commands(section: str, database: str, *, kafka: bool) -> list[str]:
    """The commands of a section in their order, without those for the other database, or for another bus."""
    assert CHAPTER is not None
    found, here = [], ""
    for heading, block in BLOCKS.findall(CHAPTER[1]):
        here = heading or here
        if block and here == section:
            found.append(block)
    other = {"postgresql": "sqlite3 ", "sqlite": "pg_"}[database]
    found = [block for block in found if not block.startswith(other)]
    return [block for block in found if kafka or "eventbus restored" not in block]


class Site:
    """A shop in a folder, with a database and a payment provider that stays what it is."""

    def __init__(self, folder: Path, database: str, url: str, company: str, *, brokers: str = "") -> None:
        self.folder, self.company, self._database, self._kafka = folder, company, database, bool(brokers)
        self._environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
            "DATABASE_URL": url,
            "VAR_DIR": str(folder / "var"),
            "BACKUPS": str(folder / "backups"),
            "DJANGO_SETTINGS_MODULE": "mcommerce.settings",
            "EMAIL_URL": "dummy:",
            "SANDBOX_PROVIDER_URL": company,
            "SANDBOX_PROVIDER_KEY": KEY,
            "SANDBOX_WEBHOOK_SECRET": SECRET,
        }
        if brokers:
            kafka = {"KAFKA_BOOTSTRAP_SERVERS": brokers, "KAFKA_PREFIX": f"{uuid4().hex[:8]}."}
            self._environment |= {"EVENTBUS_BACKEND": "kafka", **kafka}
        (folder / "backups").mkdir()
        (folder / "var" / "media").mkdir(parents=True)

    def run(self, *line: str, code: int = 0) -> str:
        done = subprocess.run(
            line, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=SECONDS_MAX
        )
        assert done.returncode == code, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def manage(self, *line: str, code: int = 0) -> str:
        return self.run(sys.executable, "manage.py", *line, code=code)

    def shop(self, *line: str) -> str:
        return self.run(sys.executable, "-m", "tests.purchase_steps", *line).strip()

    def follow(self, section: str) -> None:
        """Type what the page says."""
        typed = commands(section, self._database, kafka=self._kafka)
        assert typed, f"the page has no commands under {section}"
        for block in typed:
            self.run("bash", "-euo", "pipefail", "-c", block)

    def check_events(self) -> None:
        """Raise AssertionError if an event that the site has published does not fit its JSON Schema."""
        assert misfits_of(self._environment) == []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While it lasts, a process relays and one handles."""
        log = (self.folder / "roles.log").open("ab")
        line = [sys.executable, "manage.py"]
        roles = [
            subprocess.Popen([*line, role], cwd=ROOT, env=self._environment, stdout=log, stderr=log)
            for role in ("relay_events", "handle_events")
        ]
        try:
            yield
        finally:
            for role in roles:
                role.terminate()
            for role in roles:
                role.wait(SECONDS_MAX)
            log.close()

    def charges(self) -> list[tuple[int, int]]:
        headers = {"Authorization": f"Bearer {KEY}"}
        told = requests.get(f"{self.company}/v1/charges", headers=headers, timeout=10).json()
        return sorted((one["amount"], one["refunded"]) for one in told["charges"])


@contextmanager
def company_in(folder: Path) -> Iterator[str]:
    """A payment provider with books of its own; its address."""
    company = serve("127.0.0.1", 0, ledger_path=folder / "company.sqlite3", api_key=KEY, webhook_secret=SECRET)
    try:
        yield company.url
    finally:
        company.close()


@contextmanager
def cluster() -> Iterator[str]:
    """An empty database on a PostgreSQL of this test's own."""
    try:
        with temporary_cluster() as url:
            yield url
    except PostgresMissing as missing:
        do_without(str(missing))


def do_without(missing: str) -> NoReturn:
    """A machine without a program skips the test at home, and fails it under CI."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with company_in(tmp_path) as company:
        if request.param == "postgresql":
            with cluster() as url:
                yield Site(tmp_path, "postgresql", url, company)
        elif shutil.which("sqlite3") is None:
            do_without("sqlite3 is missing (Debian: apt install sqlite3)")
        else:
            yield Site(tmp_path, "sqlite", f"sqlite:///{tmp_path}/var/mcommerce.sqlite3", company)


TYPED = {
    block for section in SECTIONS for database, kafka in DRILLS for block in commands(section, database, kafka=kafka)
}


def test_each_command_of_the_chapter_is_typed_by_a_drill() -> None:
    assert CHAPTER is not None

    assert set(FENCED.findall(CHAPTER[1])) == TYPED


def differences(told: str) -> list[str]:
    return sorted(one["name"] for one in json.loads(told)["differences"])


@pytest.mark.sites
def test_what_was_paid_after_the_backup_is_found_and_mended_and_a_second_run_finds_nothing(site: Site) -> None:
    picture = site.folder / "var" / "media" / "vase.webp"
    picture.write_bytes(b"a vase")
    site.manage("migrate", "--verbosity", "0")
    site.shop("sell", "2")
    page = site.shop("open")
    site.follow(SAVE)
    requests.post(page, data=GOOD_CARD, allow_redirects=False, timeout=10).raise_for_status()
    site.shop("sell", "5")
    picture.unlink()

    site.follow(RESTORE)
    site.follow(RECONCILE)
    found = site.manage("reconcile", "--json", code=1)
    site.manage("reconcile", "--repair", f"--expect={len(differences(found))}")
    site.shop("rest")
    second = site.manage("reconcile", "--json")

    assert differences(found) == ["charge-not-taken-in", *["charge-without-order"] * 5]
    assert differences(second) == []
    assert site.charges() == [(1_900, 0)] * 3 + [(1_900, 1_900)] * 5
    assert picture.read_bytes() == b"a vase"
    orders = site.manage(
        "shell",
        "-c",
        "from mcommerce.orders.models import Order; print(*Order.objects.values_list('state', flat=True))",
    )
    assert orders.split()[-3:] == ["paid"] * 3
    site.check_events()


@pytest.mark.sites
def test_over_kafka_nothing_is_made_of_the_events_that_the_backup_forgot(tmp_path: Path, kafka: str) -> None:
    """`make drill` shows what it prints."""
    with company_in(tmp_path) as company, cluster() as url:
        site = Site(tmp_path, "postgresql", url, company, brokers=kafka)
        site.manage("eventbus", "topics", "--apply")
        site.manage("migrate", "--verbosity", "0")
        with site.at_work():
            site.shop("sell", "2")
        site.follow(SAVE)
        with site.at_work():
            site.shop("sell", str(FORGOTTEN))

        with timed("restore database and files, repair the bus"):
            site.follow(RESTORE)
        with site.at_work():
            with timed("until all is handled"):
                site.shop("rest")
            site.follow(RECONCILE)
            with timed("find what differs"):
                found = site.manage("reconcile", "--json", code=1)
            with timed("mend it"):
                site.manage("reconcile", "--repair", f"--expect={len(differences(found))}")
                site.shop("rest")
            second = site.manage("reconcile", "--json")
            site.manage("eventbus", "status")
        site.check_events()
        charges = site.charges()

    assert differences(found) == ["charge-without-order"] * FORGOTTEN
    assert differences(second) == []
    assert charges == [(1_900, 0)] * 2 + [(1_900, 1_900)] * FORGOTTEN


@contextmanager
def timed(what: str) -> Iterator[None]:
    """`make drill` shows how long a step of a restore takes."""
    begun = time.monotonic()
    yield
    print(f"{what:<44} {time.monotonic() - begun:6.1f} s")
