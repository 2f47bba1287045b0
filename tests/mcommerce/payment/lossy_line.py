"""The line between the shop and the company, which can lose answers."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests


@dataclass(frozen=True)
class Passed:
    """A request that went through."""

    path: str
    key: str


class Line:
    """Passes requests on to `target`, and swallows the answers to the next `answers_to_lose`."""

    def __init__(self, target: str) -> None:
        self.answers_to_lose = 0
        self.requests: list[Passed] = []
        line = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.pass_on()

            def do_POST(self) -> None:
                self.pass_on()

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                line.requests.append(Passed(self.path, self.headers.get("Idempotency-Key", "")))
                names = ("Authorization", "Idempotency-Key", "Content-Type")
                headers = {name: self.headers[name] for name in names if name in self.headers}
                answer = requests.request(self.command, target + self.path, data=body, headers=headers)
                if line.answers_to_lose > 0:
                    line.answers_to_lose -= 1
                    return
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
