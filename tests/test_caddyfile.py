"""The shipped Caddyfile as Caddy itself reads it, and what a visitor is told by the proxy alone."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urljoin

import pytest

from tests.free_ports import free_ports
from tests.live_site import ROOT
from tests.proxied_site import buffers, caddy
from tests.test_response_headers import ask
from tests.waiting import START_SECONDS, listens, until

FILE = ROOT / "Caddyfile"
TEXT = FILE.read_text()
ADDRESSES = {"SITE_URL": "http://shop.localhost", "SANDBOX_PROVIDER_URL": "http://pay.localhost"}


def test_debians_own_caddy_takes_the_file_as_it_is_and_a_newer_one_by_its_version(tmp_path: Path) -> None:
    newer = {} if buffers() == "2_6" else {"CADDY_VERSION": buffers()}
    told = subprocess.run(
        [caddy(), "validate", "--config", str(FILE), "--adapter", "caddyfile"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | ADDRESSES | newer,
        capture_output=True,
        text=True,
    )

    assert told.returncode == 0, told.stderr
    assert "Valid configuration" in told.stdout + told.stderr


@pytest.mark.parametrize("version", ["2_6", "2_8"])
def test_each_version_that_the_file_tells_of_has_its_buffers(version: str) -> None:
    chosen = TEXT.replace("{$CADDY_VERSION:2_6}", version)
    imported, made = set(re.findall(r"import (\w+)", chosen)), set(re.findall(r"^\((\w+)\)", chosen, re.MULTILINE))

    assert imported <= made
    assert {f"forms_{version}", f"reads_{version}"} <= imported


def test_a_form_is_offered_again_only_where_caddy_still_has_its_text() -> None:
    """Caddy 2.6 has given the memory of it to another request by then, whose text would be sent instead."""
    old = re.search(r"^\(forms_2_6\) \{\n(.*?)^\}", TEXT, re.MULTILINE | re.DOTALL)

    assert old and "lb_try" not in old[1] and "import" not in old[1]


@contextmanager
def proxy(tmp_path: Path, pages: str, file: Path = FILE) -> Iterator[int]:
    """Caddy before one replica; the port of the site."""
    port, company, admin = free_ports(3)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CADDY_ADMIN": f"127.0.0.1:{admin}",
        "CADDY_VERSION": buffers(),
        "SITE_URL": f"http://127.0.0.1:{port}",
        "SANDBOX_PROVIDER_URL": f"http://127.0.0.1:{company}",
        "PAGES": pages,
        "LIVE": pages,
    }
    command = [caddy(), "run", "--config", str(file), "--adapter", "caddyfile"]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as run,
    ):
        try:
            until(lambda: listens(port), (tmp_path / "log").read_text, seconds=START_SECONDS)
            yield port
        finally:
            run.kill()


def test_the_proxys_own_answer_says_what_to_do_and_names_no_server(tmp_path: Path) -> None:
    [nobody] = free_ports(1)
    with proxy(tmp_path, f"127.0.0.1:{nobody}") as port:
        status, told = ask(port, "POST", "/payment/webhook/sandbox/", {})

    assert status in (502, 503)
    assert (told.get_all("X-Content-Type-Options"), told.get_all("Server")) == (["nosniff"], None)
    assert told["Retry-After"] == "10"


class Talkative(BaseHTTPRequestHandler):
    """A replica that names itself and its version."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_the_servers_behind_the_proxy_are_not_named_and_their_headers_come_once(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Talkative) as replica:
        threading.Thread(target=replica.serve_forever, daemon=True).start()
        with proxy(tmp_path, f"127.0.0.1:{replica.server_port}") as port:
            status, told = ask(port, "GET", "/", {})
        replica.shutdown()

    assert status == 200
    assert (told.get_all("X-Content-Type-Options"), told.get_all("Server")) == (["nosniff"], None)
    assert len(told.get_all("Permissions-Policy") or []) == 1


class Hanging(Talkative):
    """A replica that says that it serves, and then lets every visitor wait."""

    ends: ClassVar[threading.Event]
    asked: ClassVar[list[str]]

    def do_GET(self) -> None:
        if self.path != "/health/serving":
            self.asked.append(self.command)
            self.ends.wait()
        super().do_GET()

    def do_POST(self) -> None:
        self.do_GET()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_server_that_hangs_keeps_no_visitor_for_ever(tmp_path: Path, method: str) -> None:
    sooner = {"response_header_timeout 60s": "response_header_timeout 2s", "lb_try_duration 15s": "lb_try_duration 1s"}
    text = TEXT
    for ours, quicker in sooner.items():
        assert ours in text
        text = text.replace(ours, quicker)
    file = tmp_path / "Caddyfile"
    file.write_text(text)
    Hanging.ends, Hanging.asked = threading.Event(), []
    with ThreadingHTTPServer(("127.0.0.1", 0), Hanging) as replica:
        threading.Thread(target=replica.serve_forever, daemon=True).start()
        try:
            with proxy(tmp_path, f"127.0.0.1:{replica.server_port}", file) as port:
                status, headers = ask(port, method, "/", {})
        finally:
            Hanging.ends.set()
            replica.shutdown()

    assert (status, headers["Retry-After"]) == (504, "10")
    assert Hanging.asked == [method], "it is not put to another one, which would hang as well"


class Dying(Talkative):
    """A replica that dies over a form, and notes which request that was."""

    noted: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.noted.append(self.headers["X-Request-Id"])
        self.close_connection = True  # without an answer


def test_a_form_that_nobody_answered_is_asked_for_once_more_and_a_webhook_is_not(tmp_path: Path) -> None:
    """By the number that the replica had. A provider sends its webhooks again by itself."""
    Dying.noted.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Dying) as replica:
        threading.Thread(target=replica.serve_forever, daemon=True).start()
        with proxy(tmp_path, f"127.0.0.1:{replica.server_port}") as port:
            status, told = ask(port, "POST", "/cart/add/?from=list", {})
            again = ask(port, "POST", f"/cart/add/{told['Location']}", {})
            led = ask(port, "POST", "//evil.example/..%2fcart/add/", {})[1].get("Location", "")
            others = [ask(port, "POST", path, {})[0] for path in ("/admin/products/product/add/", "/stations/remarks/")]
            webhooks = [ask(port, "POST", f"/{app}/webhook/sandbox/", {})[0] for app in ("payment", "parcels/v2")]
        replica.shutdown()

    query = parse_qs(told["Location"].removeprefix("?"))
    assert (status, query) == (307, {"again": [Dying.noted[0]], "from": ["list"]})
    assert again[0] in (502, 503), "a browser would be sent in a circle"
    assert others == [307, 307]
    assert {*webhooks} <= {502, 503}, "those of a new module too"
    assert urljoin("http://shop.example/cart/", led).startswith("http://shop.example/"), "a form to another site"
