"""A proxy for tests, as small as one can be: a connection's first line says to whom all of it goes."""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

BYTES_AT_ONCE = 65_536
FIRST_LINE_BYTES_MAX = 8_192  # method and address of a request
LOOK_SECONDS = 0.2  # how soon it is seen that the door shall close


class FrontDoor:
    """Listens on a loopback port; `ways` says where requests go by how their path begins, the first that fits.

    A browser opens a connection of its own for each socket, and never sends a page's request over it. Where pages go
    different ways too, `one_by_one` lets a connection end after each.
    """

    def __init__(self, port: int, ways: Mapping[str, str], *, one_by_one: bool = False) -> None:
        self._one_by_one = one_by_one
        self._ways = {start: (urlsplit(url).hostname or "", urlsplit(url).port or 80) for start, url in ways.items()}
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(LOOK_SECONDS)
        self._open = True
        self._thread = threading.Thread(target=self._listen, name="front-door", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._thread.join()
        self._listener.close()

    def _listen(self) -> None:
        while self._open:
            with suppress(TimeoutError):
                visitor, _ = self._listener.accept()
                threading.Thread(target=self._lead, args=(visitor,), daemon=True).start()

    def _lead(self, visitor: socket.socket) -> None:
        with visitor, suppress(OSError):
            visitor.settimeout(None)
            first = b""
            while b"\r\n" not in first and len(first) < FIRST_LINE_BYTES_MAX:
                if not (more := visitor.recv(BYTES_AT_ONCE)):
                    return
                first += more
            path = first.split(b" ", 2)[1].decode("ascii", "replace")
            way = next(way for start, way in self._ways.items() if path.startswith(start))
            if self._one_by_one and not path.startswith("/ws/"):
                first = first.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)  # before the browser's own
            with socket.create_connection(way) as host:
                host.sendall(first)
                back = threading.Thread(target=_carry, args=(host, visitor), daemon=True)
                back.start()
                _carry(visitor, host)
                back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    """Until there is no more; then the other side is told so."""
    with suppress(OSError):
        while some := source.recv(BYTES_AT_ONCE):
            target.sendall(some)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
