"""A receiver of webhooks for tests, which keeps each of them."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Receiver:
    """A receiver of webhooks at `url`, which answers with `status`."""

    def __init__(self) -> None:
        self.status = 204
        self.refused = b"\0"  # a body with this text is answered with 500
        self.posts: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((dict(self.headers), body))
                self.send_response(500 if receiver.refused in body else receiver.status)
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
