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


class LoopbackServer:
    """Serves from a thread; `handler` finds it as `of`."""

    def __init__(self, handler: type["Handler"]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handling", (handler,), {"of": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.root = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    of: Any

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        raise NotImplementedError

    def give(self, status: int, headers: dict[str, str], body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class AnsweringServer(LoopbackServer):
    """Gives the answers on its list one after the other, the last one for ever; remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[str] = []
        self.released = threading.Event()
        super().__init__(_Handler)
        self.url, self.url_v1 = f"{self.root}/vls/v3", f"{self.root}/vls/v1"

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
        super().close()


class _Handler(Handler):
    def answer(self) -> None:
        told = self.of.next(self.path)
        told.hold()
        self.give(told.status, told.headers, told.body, told.length)


def encoded(answer: object) -> bytes:
    return json.dumps(answer).encode()
