"""A receiver of webhooks, and the faults that a check of notices finds."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from mcommerce.notices import fault_watch
from mcommerce.notices.fault_watch import FaultWatch
from mcommerce.overview.faults import Fault
from outside import circuit_breaker

SECRET = "a secret of twenty characters"
DISK = Fault("A disk is full", "/var cannot be written: No space left", id="disk:")


class Receiver:
    """A receiver of webhooks at `url`, which answers with `status`."""

    def __init__(self) -> None:
        self.status = 204
        self.posts: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((dict(self.headers), body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *told: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?key=hidden"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def told(self) -> list[tuple[str, str]]:
        return [(one["type"], one["fault"]) for one in (json.loads(body) for _headers, body in self.posts)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    circuit_breaker.forget()
    found = Receiver()
    settings.EVENTBUS_NOTIFY_WEBHOOK, settings.EVENTBUS_NOTIFY_SECRET = found.url, SECRET
    settings.EVENTBUS_NOTIFY_MAIL = ["ada@example.com"]
    yield found
    found.close()
    circuit_breaker.forget()


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> list[Fault]:
    """The faults of the site: what a test puts in."""
    found: list[Fault] = []
    monkeypatch.setattr(fault_watch, "faults", lambda status: list(found))
    monkeypatch.setattr(fault_watch, "faults_without_database", lambda: list(found))
    return found


def checks(watch: FaultWatch, times: int) -> None:
    for _time in range(times):
        watch.look()
