"""Whole processes: killed, started again, asked to leave."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.live_site import ROOT, LiveSite
from tests.waiting import START_SECONDS, until

pytestmark = pytest.mark.sites

LEAVE_SECONDS = 30  # a worker's own limit for what is in hand, and some
SAY = (
    "from django.db import transaction; from eventbus import publish\n"
    "from tests.eventbus.slow_app.events import Lingered\n"
    "with transaction.atomic(): publish(*(Lingered(name=name) for name in {names!r}))"
)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a new site, made once."""
    site = slow_site(tmp_path_factory.mktemp("migrated"))
    site.manage("migrate", "--verbosity=0")
    return site.database_path


@pytest.fixture
def site(tmp_path: Path, migrated: Path) -> LiveSite:
    """A new site with the slow app, with nobody running it."""
    site = slow_site(tmp_path)
    shutil.copy(migrated, site.database_path)
    return site


def slow_site(folder: Path) -> LiveSite:
    return LiveSite(folder, {"SLOW_FOLDER": str(folder), "DJANGO_SETTINGS_MODULE": "tests.eventbus.slow_app_settings"})


@contextmanager
def process(site: LiveSite, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """One Python process of the site, without a visitor; killed at the end if it still runs."""
    with (site.directory / "process.log").open("ab") as log:
        environment = site.environment | environment
        running = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def ask(site: LiveSite, question: str) -> int:
    """One number from the site's database."""
    with closing(sqlite3.connect(site.database_path, timeout=20)) as database:
        return database.execute(question).fetchone()[0]


def say(site: LiveSite, *names: str) -> None:
    site.manage("shell", "--verbosity=0", "-c", SAY.format(names=list(names)))


def handled(site: LiveSite) -> int:
    return ask(site, "SELECT count(*) FROM eventbus_inbox WHERE \"group\" = 'slow'")


@pytest.mark.parametrize(
    "command",
    [
        "manage.py runserver --noreload {port}",
        "manage.py handle_events",
        "-m uvicorn mcommerce.asgi:application --lifespan=on --port {port}",  # as the image does
    ],
)
def test_sigterm_finishes_what_is_in_hand(site: LiveSite, command: str) -> None:
    arguments = command.format(port=site.port).split()
    say(site, "first")
    with process(site, *arguments) as running:
        until((site.directory / "begun-first").exists, "a handler in hand")
        running.send_signal(signal.SIGTERM)
        (site.directory / "finish-first").touch()
        running.wait(LEAVE_SECONDS)

    assert running.returncode in (0, -signal.SIGTERM), (site.directory / "process.log").read_text()[-3000:]
    assert handled(site) == 1
    assert ask(site, "SELECT count(*) FROM eventbus_progress WHERE running_event IS NOT NULL") == 0
    assert ask(site, "SELECT count(*) FROM eventbus_lease WHERE name = 'dispatcher' AND owner <> ''") == 0


@pytest.mark.parametrize(
    "command",
    ["manage.py runserver --noreload {port}", "-m uvicorn mcommerce.asgi:application --lifespan=on --port {port}"],
)
def test_sigterm_ends_what_hears_for_browsers_before_the_bus(site: LiveSite, command: str) -> None:
    arguments = command.format(port=site.port).split()
    address = f"ws://127.0.0.1:{site.port}/ws/stations/"
    with process(site, *arguments) as running:
        until(site.is_ready, "the server is ready", seconds=START_SECONDS)
        with connect(address, origin=Origin(site.url)) as browser:
            assert '"hello"' in str(browser.recv(timeout=START_SECONDS))
            running.send_signal(signal.SIGTERM)
            running.wait(LEAVE_SECONDS)

    log = (site.directory / "process.log").read_text()
    assert 0 < log.find("Watches that have ended: 2") < log.find("The bus has finished"), log[-3000:]
    assert "could not read the log" not in log
