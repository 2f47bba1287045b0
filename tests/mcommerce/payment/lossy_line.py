"""Servers of the tests: who catches webhooks, and the line between the shop and the company, which can lose answers."""

import queue
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from tests.waiting import DEADLINE_SECONDS


class Server:
    """Listens on a free port, in a thread of its own, until it is closed."""

    def __init__(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        raise NotImplementedError

    @staticmethod
    def say(request: BaseHTTPRequestHandler, status: int, content: bytes = b"") -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@dataclass(frozen=True)
class Passed:
    """A request that went through."""

    path: str
    key: str


class Line(Server):
    """Passes requests on to `target`, and swallows the answers to the next `answers_to_lose`."""

    def __init__(self, target: str) -> None:
        self.target, self.answers_to_lose = target, 0
        self.requests: list[Passed] = []
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.requests.append(Passed(request.path, request.headers.get("Idempotency-Key", "")))
        names = ("Authorization", "Idempotency-Key", "Content-Type")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        answer = requests.request(request.command, self.target + request.path, data=body, headers=headers)
        if self.answers_to_lose > 0:
            self.answers_to_lose -= 1
            return
        self.say(request, answer.status_code, answer.content)

    def keys_of(self, path: str) -> list[str]:
        """The idempotency keys of the requests to a path, in turn."""
        return [passed.key for passed in self.requests if passed.path == path]


@dataclass(frozen=True)
class Caught:
    """A webhook as it was sent."""

    body: bytes
    signature: str


class Catcher(Server):
    """Stands where the shop's webhooks arrive. It answers with `statuses` in turn, then with 200."""

    def __init__(self) -> None:
        self.caught: queue.Queue[Caught] = queue.Queue()
        self.statuses: list[int] = []
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.caught.put(Caught(body, request.headers["Sandbox-Signature"]))
        self.say(request, self.statuses.pop(0) if self.statuses else 200)

    def next(self) -> Caught:
        return self.caught.get(timeout=DEADLINE_SECONDS)
