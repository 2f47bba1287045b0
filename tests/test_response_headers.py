"""Every answer of every server has a browser guess no type and lend nothing, and no server tells its version."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from mcommerce.payment.sandbox_process import start_sandbox_provider
from mcommerce.web.response_headers import ALWAYS
from tests.free_ports import free_ports
from tests.live_site import ROOT
from tests.test_settings import DEPLOYED, python
from tests.waiting import START_SECONDS, listens, until

pytestmark = pytest.mark.xdist_group("response_headers")  # one process makes what they share

ANSWER_SECONDS = 60  # a proxy looks for a replica for 15
SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
OURS, THEIRS = {"Origin": "http://127.0.0.1"}, {"Origin": "http://elsewhere.example"}
PAGES = {
    "a page": ("GET", "/accounts/sign-in/", {}, 200),
    "no page": ("GET", "/nothing/", {}, 404),
    "a probe": ("GET", "/health/live", {}, 200),
    "not ready": ("GET", "/health/ready", {}, 503),
    "another's name": ("GET", "/", {"Host": "elsewhere.example"}, 400),
    "a form without its token": ("POST", "/i18n/setlang/", {}, 403),
    "a file": ("GET", "/static/site/favicon.svg", {}, 200),
    "no file": ("GET", "/static/nothing.css", {}, 404),
    "no picture": ("GET", "/media/nothing.webp", {}, 404),
}
SOCKETS = {
    "no socket": ("GET", "/ws/nothing/", SOCKET | OURS, None),
    "a socket from elsewhere": ("GET", "/ws/stations/", SOCKET | THEIRS, 403),
    "a socket": ("GET", "/ws/stations/", SOCKET | OURS, 101),
    "a socket without its table": ("GET", "/ws/orders/00000000-0000-0000-0000-000000000000/", SOCKET | OURS, None),
}


class Server:
    def __init__(self, folder: Path, port: int, command: list[str], environment: dict[str, str]) -> None:
        self.port = port
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PORT": str(port)}
                | {"LISTEN_HOST": "127.0.0.1", "VAR_DIR": str(folder), "RUN_BUS_IN_SERVER": "0"}
                | environment,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        until(lambda: listens(self.port), self._log.read_text, seconds=START_SECONDS, alive=[self._process])

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def ask(port: int, method: str, path: str, headers: dict[str, str]) -> tuple[int, Message]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers
    finally:
        connection.close()


COMMANDS = {
    "pages": ["docker-entrypoint", "pages"],
    "live": ["docker-entrypoint", "live"],
    "runserver": ["manage.py", "runserver", "--noreload"],
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The port of each server of the site, started at the same time."""
    running = {}
    for name, command in COMMANDS.items():
        folder, [port] = tmp_path_factory.mktemp(name), free_ports(1)
        address = [f"127.0.0.1:{port}"] if name == "runserver" else []
        if name == "runserver":
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True, env=here(folder))
        running[name] = Server(folder, port, command + address, {"SITE_URL": f"http://127.0.0.1:{port}"})
    try:
        for server in running.values():
            server.wait()
        yield {name: server.port for name, server in running.items()}
    finally:
        for server in running.values():
            server.end()


def here(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "VAR_DIR": str(folder)}


def is_told(headers: Message) -> None:
    for name, value in ALWAYS.items():
        assert headers.get_all(name) == [value]
    names_itself(headers)


def names_itself(headers: Message) -> None:
    """At most once, and in no version."""
    told = headers.get_all("Server") or []
    assert len(told) <= 1
    assert not any(letter.isdigit() for letter in "".join(told)), told


@pytest.mark.parametrize("server", COMMANDS)
@pytest.mark.parametrize("asked", PAGES)
def test_every_answer_has_them(servers: dict[str, int], server: str, asked: str) -> None:
    method, path, headers, expected = PAGES[asked]

    status, told = ask(servers[server], method, path, headers)

    assert status == expected or (asked == "not ready" and status == 200)
    is_told(told)


@pytest.mark.parametrize("server", ["live", "runserver"])
@pytest.mark.parametrize("asked", SOCKETS)
def test_every_answer_to_who_wants_a_socket_has_them(servers: dict[str, int], server: str, asked: str) -> None:
    method, path, headers, expected = SOCKETS[asked]
    if headers["Origin"] == OURS["Origin"]:
        headers = headers | {"Origin": f"http://127.0.0.1:{servers[server]}"}

    status, told = ask(servers[server], method, path, headers)

    assert expected in (None, status)
    is_told(told)


@pytest.mark.parametrize("path", ["/", "/v1/sessions", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_the_stand_in_for_the_payment_company_tells_as_much(tmp_path: Path, settings, method: str, path: str) -> None:
    [port] = free_ports(1)
    settings.VAR_DIR, settings.SANDBOX_PROVIDER_URL = tmp_path, f"http://127.0.0.1:{port}"
    company = start_sandbox_provider()
    try:
        _, told = ask(port, method, path, {})
    finally:
        company.close()

    assert told.get_all("X-Content-Type-Options") == ["nosniff"]
    assert len(told.get_all("Permissions-Policy") or []) == 1
    names_itself(told)


@pytest.mark.parametrize(("preload", "listed"), [({}, False), ({"HSTS_PRELOAD": "1"}, True)])
def test_browsers_makers_list_a_domain_only_when_its_owner_says_so(
    tmp_path: Path, preload: dict[str, str], listed: bool
) -> None:
    code = (
        "from django.test import Client; client = Client(headers={'host': 'shop.example'});"
        "print(client.get('/i18n/setlang/', secure=True)['Strict-Transport-Security'])"
    )

    told = python(tmp_path, code, **DEPLOYED, **preload)

    assert "max-age=31536000; includeSubDomains" in told.stdout, told.stderr
    assert ("preload" in told.stdout) == listed
