"""The key in a mail's link opens an order for a year: no log of a server has it, whatever becomes of the request."""

import http.client
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.conf import settings
from pytest_django import Settings

from mcommerce.orders import access
from mcommerce.web.redaction import redacted
from tests.live_site import ROOT, LiveSite

SERVERS = {
    "gunicorn": [sys.executable, "docker-entrypoint", "pages"],
    "uvicorn": [sys.executable, "docker-entrypoint", "live"],
    "daphne": [sys.executable, "manage.py", "runserver", "--noreload"],
}


class Site(LiveSite):
    """One whose server is any of those that we start."""

    def __init__(self, directory: Path) -> None:
        binaries = str(Path(sys.executable).parent)
        super().__init__(
            directory,
            {
                "SECRET_KEY": settings.SECRET_KEY,
                "LISTEN_HOST": "127.0.0.1",
                "RUN_BUS_IN_SERVER": "0",
                "LOG_LEVEL": "DEBUG",
                "DEMO": "0",
                "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            },
        )
        self.environment["PORT"] = str(self.port)

    @contextmanager
    def served_by(self, command: list[str]) -> Iterator[None]:
        self.log_path = self.directory / "server.log"
        address = [f"127.0.0.1:{self.port}"] if "runserver" in command else []
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *address], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        try:
            self._wait_until(self.is_ready)
            yield
        finally:
            self.stop()

    def get(self, target: str, **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", target, headers=headers)
        status = connection.getresponse().status
        connection.close()
        return status

    @contextmanager
    def without_sessions(self) -> Iterator[None]:
        """What needs one fails: a fault of the site, for its log."""
        database = sqlite3.connect(self.database_path, isolation_level=None)
        database.execute("ALTER TABLE django_session RENAME TO gone")
        try:
            yield
        finally:
            database.execute("ALTER TABLE gone RENAME TO django_session")
            database.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("keys"))
    site.manage("migrate", "--verbosity=0")
    return site


@pytest.mark.parametrize(
    "server", ["gunicorn", *(pytest.param(one, marks=pytest.mark.sites) for one in ("uvicorn", "daphne"))]
)
def test_no_log_of_a_server_has_the_key(site: Site, server: str) -> None:
    order_id = uuid4()
    key = access.link_key(order_id)
    link = f"/orders/{order_id}/open/?key={quote(key)}"

    with site.served_by(SERVERS[server]):
        assert site.get(link) == 302
        assert site.get(f"/nowhere/?utm=mail&key={quote(key)}", Referer=f"{site.url}{link}") == 404
        assert site.get(link, Host="shop.evil.example") == 400
        with site.without_sessions():
            assert site.get(link) == 500
    log = site.log_path.read_text()

    assert f"/orders/{order_id}/open/" in log
    assert "Traceback" in log and "django_session" in log  # the fault itself is told in full
    assert key not in log and quote(key) not in log and key.rpartition(":")[2] not in log


def test_what_is_redacted_still_tells_which_address_it_was() -> None:
    line = '"GET /orders/5/open/?a=1&key=1vAB:x_y-Z&b=2 HTTP/1.1" 302'
    request = "<WSGIRequest: GET '/orders/5/open/?key=1vAB%3Ax'>"

    assert redacted(line) == '"GET /orders/5/open/?a=1&key=…&b=2 HTTP/1.1" 302'
    assert redacted(request) == "<WSGIRequest: GET '/orders/5/open/?key=…'>"


def test_a_link_outlives_a_change_of_the_sites_own_key(settings: Settings) -> None:
    order_id = uuid4()
    key = access.link_key(order_id)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert access.opens(order_id, key)
    settings.SECRET_KEY_FALLBACKS = []
    assert not access.opens(order_id, key)
