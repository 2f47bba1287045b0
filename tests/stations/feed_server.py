"""A server on loopback that answers a feed's client with what a test has put on its list."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "f00dfeed-not-for-any-log"


@dataclass
class Answer:
    """One answer of the server. `hold` is called before the body is sent; `length` lies about the body's."""

    body: bytes = b"[]"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    hold: Callable[[], object] = lambda: None


class AnsweringServer:
    """Gives the answers on its list one after the other, the last one for ever; remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[str] = []
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"of": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/vls/v3"
        self.url_v1 = f"http://127.0.0.1:{self._server.server_port}/vls/v1"

    def will_answer(self, *answers: Answer | bytes | list[Any] | dict[str, Any]) -> None:
        self.answers = [
            answer if isinstance(answer, Answer) else Answer(answer if isinstance(answer, bytes) else encoded(answer))
            for answer in answers
        ]

    def will_never_answer(self) -> None:
        """Accepts, and keeps silent until the test is over."""
        self.answers = [Answer(hold=self.released.wait)]

    def next(self, asked: str) -> Answer:
        self.asked.append(asked)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    of: AnsweringServer

    def do_GET(self) -> None:
        answer = self.of.next(self.path)
        answer.hold()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *args: object) -> None:
        pass


def encoded(answer: object) -> bytes:
    return json.dumps(answer).encode()
