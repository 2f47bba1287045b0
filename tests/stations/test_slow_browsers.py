"""A browser that does not read costs no memory, and one that cannot catch up is disconnected with the reason."""

import asyncio
from typing import Any

import pytest

from stations.live.channel import Channel
from stations.sockets import pull_socket
from tests.stations import socket_client
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
