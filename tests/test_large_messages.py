"""A message that is too large ends its socket before the server holds it, under each server that we start."""

import os
import runpy
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.free_ports import free_ports
from tests.large_message_site import SNAPSHOT
from tests.live_site import ROOT
from tests.waiting import listens, until

SOCKETS = 30
LARGE_BYTES = 15 * 1024 * 1024
FRAME_BYTES = 32 * 1024
GROWN_BYTES_MAX = 16 * 1024 * 1024  # 30 messages of 64 kB, four times over; unlimited they were 450 MB
DEADLINE_SECONDS = 60  # for what takes a second on an idle machine
TOO_BIG = 1009  # RFC 6455, 7.4.1
TEXT, CONTINUATION, CLOSE, FINAL = 0x1, 0x0, 0x8, 0x80

IMAGE = runpy.run_path(str(ROOT / "docker-entrypoint"))["ROLES"]


def command(name: str, port: int) -> list[str]:
    """How the project starts it, with the swallowing site in place of its own."""
    if name == "runserver":
        return [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    options = [option for option in IMAGE[name][2:] if not option.startswith(("--host", "--port"))]
    return [sys.executable, "-m", "uvicorn", "tests.large_message_site:application", f"--port={port}", *options]


class Server:
    def __init__(self, process: subprocess.Popen[bytes], port: int, *, says_why: bool) -> None:
        self._process, self.port, self.says_why = process, port, says_why

    def bytes_held(self) -> int:
        """What it has in memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
        return int(kilobytes) * 1024


@pytest.fixture(params=["live", *(pytest.param(one, marks=pytest.mark.sites) for one in ("all", "runserver"))])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    [port] = free_ports(1)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.large_message_site",
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'site.sqlite3'}",
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command(request.param, port), cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        server = Server(process, port, says_why=request.param != "runserver")  # Daphne hangs up
        until(lambda: listens(port), (tmp_path / "log").read_text, alive=[process])
        yield server
    finally:
        process.kill()
        process.wait()


class Talker:
    """A client that sends what it likes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
        self._socket.sendall(
            f"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._heard = self._socket.makefile("rb")
        assert b" 101 " in self._heard.readline()
        while self._heard.readline().strip():
            pass

    def close(self) -> None:
        self._heard.close()
        self._socket.close()

    def say_without_end(self, size: int) -> None:
        """So many bytes of one message in frames, none of them its last; less when the server has had enough."""
        for sent in range(0, size, FRAME_BYTES):
            try:
                self.begin_frame(CONTINUATION if sent else TEXT)
                self._socket.sendall(b"x" * FRAME_BYTES)
            except (BrokenPipeError, ConnectionResetError):
                return

    def begin_frame(self, kind: int) -> None:
        """Only the head of it, which says how long it will be."""
        self._socket.sendall(struct.pack("!BBH4s", kind, 0x80 | 126, FRAME_BYTES, b"\0\0\0\0"))

    def how_it_ends(self) -> int | None:
        """The code that the server says, if it says one before it hangs up."""
        try:
            head = self._heard.read(2)
            assert not head or head[0] == FINAL | CLOSE
            return int(struct.unpack("!H", self._heard.read(head[1])[:2])[0]) if head else None
        except ConnectionResetError:
            return None


def test_unfinished_messages_are_not_held_in_memory(server: Server) -> None:
    with ExitStack() as exits:
        talkers = [Talker(server.port) for _socket in range(SOCKETS)]
        for talker in talkers:
            exits.callback(talker.close)
        before = server.bytes_held()

        for talker in talkers:
            talker.say_without_end(LARGE_BYTES)

        assert server.bytes_held() - before < GROWN_BYTES_MAX


def test_what_the_site_sends_may_be_larger_than_the_limit_for_clients(server: Server) -> None:
    origin = f"http://127.0.0.1:{server.port}"

    with connect(f"ws://127.0.0.1:{server.port}/ws/large/", origin=origin, max_size=None) as client:
        assert client.recv(DEADLINE_SECONDS) == SNAPSHOT


def test_a_message_above_the_limit_ends_its_socket(server: Server) -> None:
    talker = Talker(server.port)

    talker.say_without_end(2 * FRAME_BYTES)
    talker.begin_frame(CONTINUATION)  # nothing of it is sent: its head is too much

    assert talker.how_it_ends() == (TOO_BIG if server.says_why else None)
    talker.close()
