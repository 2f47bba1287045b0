"""The simulated world over HTTP, at the same addresses and with the same refusals as JCDecaux's API."""

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from stations.simulator.simulated_world import VERSIONS, World

HOST = "127.0.0.1"  # loopback only: it is a stand-in, not a service
PORT = 8002
SPEED = 4.0  # a day in six hours: at rush hour some 2 % of the stations change in 2 s, so a visitor sees life
IDLE_SECONDS = 30  # a connection without a request for this long is closed
CLOSE_LOOK_SECONDS = 0.05  # between two checks for a stop
JOIN_SECONDS = 5  # to end serving; a request takes some 50 ms

Answer = tuple[HTTPStatus, Any]
NOT_FOUND: Answer = (HTTPStatus.NOT_FOUND, {"error": "Not found"})
NO_KEY: Answer = (HTTPStatus.FORBIDDEN, {"error": "Unauthorized"})


class Simulator:
    """A running simulator. `url` is its root: the API's base is `url + "/vls/v3"`."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        host, port = server.server_address[:2]
        self.url = f"http://{host!s}:{port}"
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, args=(CLOSE_LOOK_SECONDS,), name="stations-simulator", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(JOIN_SECONDS)


def serve(
    host: str = HOST,
    port: int = PORT,
    seed: int = 1,
    *,
    speed: float = SPEED,
    open_to_all: bool = False,
    clock: Callable[[], float] = time.time,
) -> Simulator:
    """Start answering in threads of this process; `port` 0 takes any that is free. Raises OSError when it is taken.

    Two servers with the same seed, speed and clock give the same answers. `open_to_all`: accept requests without a key.
    """
    world = World(seed=seed, speed=speed, clock=clock)
    handler = type("Handler", (_Handler,), {"world": world, "open_to_all": open_to_all})
    return Simulator(_Server((host, port), handler))


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a client that keeps its connection must not keep the process alive


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # a poller keeps its connection
    timeout = IDLE_SECONDS
    world: World
    open_to_all: bool

    def do_GET(self) -> None:
        status, answer = self._answer()
        body = msgspec.json.encode(answer)
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "Simulator"

    def end_headers(self) -> None:
        """Add a header to every answer, also to the errors that the base class sends."""
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing, since a request's line holds a key."""

    def _answer(self) -> Answer:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path.strip("/").split("/"):
            case ["vls", version, *rest] if version in VERSIONS:
                if not (self.open_to_all or query.get("apiKey")):
                    return NO_KEY
                return self._found(version, rest, query.get("contract"))
        return NOT_FOUND

    def _found(self, version: str, rest: list[str], contract: str | None) -> Answer:
        found: Any = None
        match rest:
            case ["contracts"]:
                found = self.world.contracts()
            case ["stations"]:
                found = self.world.stations(version, contract)
                if found is None:
                    return HTTPStatus.BAD_REQUEST, {"error": "Specified contract does not exist"}
            case ["stations", number] if contract and number.isascii() and number.isdigit():
                found = self.world.station(version, contract, int(number))
        return NOT_FOUND if found is None else (HTTPStatus.OK, found)
