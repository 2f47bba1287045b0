"""A browser that does not read costs no memory, and one that cannot catch up is disconnected with the reason."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from websockets.asyncio.client import connect

from stations.live.channel import Channel
from stations.routing import sockets_for_all, sockets_with_user
from stations.sockets import pull_socket
from tests.free_ports import free_ports
from tests.stations import flooding_server, socket_client
from tests.stations.live_copy import decoded
from tests.stations.socket_client import browsing, closed_with, happens, key, on_a_loop, polled, reached, state

DEADLINE_SECONDS = 60  # for another Python to start on a loaded machine


class WaitingServer:
    """Calls a consumer as the production server does: `send` waits while the client does not read."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.holds_a_change = asyncio.Event()  # which nobody reads yet
        self.sent: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def when_read(message: dict[str, Any]) -> None:
            if message["type"] == "websocket.send":
                frame = decoded(message.get("text") or message["bytes"])
                if frame["type"] == "delta" and not self.reads.is_set():
                    self.holds_a_change.set()
                await self.reads.wait()
                self.sent.append(frame)
            await send(message)

        await socket_client.sockets(scope, receive, when_read)

    def frames(self, kind: str) -> int:
        return sum(frame["type"] == kind for frame in self.sent)


@pytest.fixture
def _a_station(transactional_db: None) -> None:
    polled({key(): state(bikes=10)})


async def change_thrice(server: WaitingServer) -> None:
    """Change a station, and twice more while the first change is on its way: a busy machine would send all as one."""
    for number, bikes in enumerate((9, 8, 7), start=1):
        await happens({key(): state(bikes=bikes)})
        await reached(number)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await server.holds_a_change.wait()


@pytest.mark.usefixtures("_a_station")
@on_a_loop
async def test_a_browser_that_does_not_read_is_sent_one_frame_and_later_all_that_it_missed():
    server = WaitingServer()
    async with browsing(app=server) as browser:
        await browser.subscribe()
        server.reads.clear()
        await change_thrice(server)
        assert server.frames("delta") == 0

        server.reads.set()

        first, rest = await browser.hear(), await browser.hear()
        assert (first["prev"], rest["seq"], browser.bikes(key())) == (0, 3, 7)
        assert server.frames("delta") == 2, "one that waited, and one with all the rest"


@pytest.mark.usefixtures("_a_station")
@on_a_loop
async def test_a_browser_hopelessly_behind_is_given_one_snapshot(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Channel, "kept_max", 1)
    server = WaitingServer()
    async with browsing(app=server) as browser:
        await browser.subscribe()
        server.reads.clear()
        await change_thrice(server)

        server.reads.set()

        assert [(await browser.hear())["type"] for _ in range(2)] == ["delta", "snapshot"]
        assert browser.bikes(key()) == 7


@pytest.mark.usefixtures("_a_station")
@on_a_loop
async def test_a_browser_that_takes_nothing_for_long_is_let_go(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stations.sockets.pull_socket.STALLED_SECONDS_MAX", 0.05)
    server = WaitingServer()
    async with browsing(app=server) as browser:
        await browser.subscribe()
        server.reads.clear()

        await happens({key(): state(bikes=9)})

        assert await closed_with(browser) == pull_socket.CLOSE_BEHIND
        assert server.frames("delta") == 0


@contextmanager
def a_uvicorn() -> Iterator[tuple["subprocess.Popen[str]", Callable[[], Any]]]:
    """A real uvicorn that runs `firehose`, and a function that connects to it."""
    [port] = free_ports(1)

    def connected() -> Any:
        return connect(f"ws://127.0.0.1:{port}/", max_queue=1, max_size=None, open_timeout=DEADLINE_SECONDS)

    command = [sys.executable, "-m", "tests.stations.flooding_server", str(port)]
    with subprocess.Popen(command, cwd=Path(settings.BASE_DIR), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and process.stdout.readline().strip() == "ready"
            yield process, connected
        finally:
            process.kill()


@on_a_loop
async def test_the_production_servers_send_waits_for_a_client_that_does_not_read():
    with a_uvicorn() as (process, connected):
        async with connected() as client:
            await client.send("a word")
            word, count = process.stdout.readline().split()
            assert (word, int(count) < flooding_server.FRAMES_MAX) == ("waits", True)

            async with asyncio.timeout(DEADLINE_SECONDS):
                told = [await client.recv() for _ in range(int(count) + 2)]

            assert told == [*[flooding_server.FRAME] * (int(count) + 1), "the last"]


def test_the_sockets_are_where_the_protocol_says():
    paths = [str(pattern.pattern) for pattern in (*sockets_for_all, *sockets_with_user)]
    assert paths == ["ws/stations/", "ws/producer/"]
