"""A server that says whatever a test wants, byte for byte, and as slowly as it likes."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

ASKED_BYTES = 64 * 2**10
Said = Callable[["Mumbler", socket.socket], None]


class Mumbler:
    """Each caller hears `said`; `callers` counts them, and `over` is set when the test ends."""

    def __init__(self, said: Said) -> None:
        self.said, self.callers, self.sent = said, 0, 0
        self.over = threading.Event()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self) -> None:
        with suppress(OSError):
            while True:
                caller, _address = self._door.accept()
                self.callers += 1
                threading.Thread(target=self._speak, args=(caller,), daemon=True).start()

    def _speak(self, caller: socket.socket) -> None:
        with suppress(OSError), caller:
            caller.recv(ASKED_BYTES)
            self.said(self, caller)

    def close(self) -> None:
        self.over.set()
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()


@contextmanager
def mumbling(said: Said) -> Iterator[Mumbler]:
    mumbler = Mumbler(said)
    yield mumbler
    mumbler.close()


def saying(body: bytes, *, status: str = "200 OK", headers: str = "") -> Said:
    """One answer, all at once."""
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return lambda mumbler, caller: caller.sendall(head.encode() + body)


def silence(mumbler: Mumbler, caller: socket.socket) -> None:
    mumbler.over.wait()


def drip(mumbler: Mumbler, caller: socket.socket) -> None:
    """An answer whose headers are all there, and whose body comes a byte at a time, for ever."""
    caller.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not mumbler.over.wait(0.02):
        caller.sendall(b" ")


def drip_of_headers(mumbler: Mumbler, caller: socket.socket) -> None:
    caller.sendall(b"HTTP/1.1 200 OK\r\nSlow: ")
    while not mumbler.over.wait(0.02):
        caller.sendall(b"y")


def flood(mumbler: Mumbler, caller: socket.socket) -> None:
    """300 MB, and its length is not said."""
    caller.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(300):
        caller.sendall(b" " * 2**20)
        mumbler.sent += 2**20


def hang_up(mumbler: Mumbler, caller: socket.socket) -> None:
    """No word."""
