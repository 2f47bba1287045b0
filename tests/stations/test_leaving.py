"""Who leaves in the middle of something gives back the place that its address held, and is woken no more."""

import asyncio
import contextlib
from typing import Any, NoReturn

import pytest
from uvicorn.protocols.utils import ClientDisconnected

from eventbus import backends
from eventbus.errors import LogUnavailable
from stations.live import live_updates
from stations.sockets import admission
from stations.sockets.pull_socket import CLOSE_TRY_AGAIN
from tests.stations import socket_client
from tests.stations.socket_client import (
    DEADLINE_SECONDS,
    browsing,
    closed_with,
    key,
    on_a_loop,
    polled,
    state,
)

pytestmark = pytest.mark.django_db(transaction=True)

HERE = ["192.0.2.7", 1]  # an address that has room for one socket only


class LeavingBrowser:
    """The stations' sockets behind a server whose browser can be gone before its frame is.

    `after` is the kind of message that is the last one the browser takes, such as `websocket.accept`.
    """

    def __init__(self, *, after: str = "") -> None:
        self.after = after
        self.gone, self.missed = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_while_here(message: Any) -> None:
            if self.gone.is_set():
                self.missed.set()
                raise ClientDisconnected  # as uvicorn says it
            await send(message)
            if message["type"] == self.after:
                self.gone.set()

        with contextlib.suppress(ClientDisconnected):  # uvicorn takes it back like that, and says no more
            await socket_client.sockets(scope, receive, send_while_here)


@pytest.fixture(autouse=True)
def _room_for_one(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    polled({key(1): state(bikes=10)})
    monkeypatch.setattr(admission, "SOCKETS_PER_ADDRESS_MAX", 1)


async def there_is_room() -> bool:
    async with browsing(client=HERE) as browser:
        return (await browser.subscribe())["type"] == "snapshot"


async def comes_and_leaves(server: LeavingBrowser) -> None:
    async with browsing(app=server, client=HERE):
        await asyncio.wait_for(server.missed.wait(), DEADLINE_SECONDS)


@on_a_loop
async def test_who_comes_while_there_is_no_log_is_told_to_come_again_and_has_room_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def away(*_arguments: Any) -> NoReturn:
        raise LogUnavailable("the brokers do not answer")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(backends.current(), "end", away)
        for _ in range(2):
            async with browsing(client=HERE) as browser:
                told = await browser.socket.receive_json_from(timeout=DEADLINE_SECONDS)
                assert (told["type"], told["code"]) == ("error", "not_ready")
                assert await closed_with(browser) == CLOSE_TRY_AGAIN

    assert await there_is_room()
    assert caplog.text.count("The live state of the stations cannot start") == 2


@on_a_loop
async def test_who_leaves_before_it_is_greeted_is_forgotten():
    await comes_and_leaves(LeavingBrowser(after="websocket.accept"))

    assert (await live_updates.here()).awake == set()
    assert await there_is_room()


@on_a_loop
async def test_who_is_given_up_by_the_server_while_the_live_state_starts_is_forgotten(monkeypatch: pytest.MonkeyPatch):
    starting = asyncio.Event()

    async def start_for_ever() -> NoReturn:
        starting.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(live_updates, "here", start_for_ever)
        socket = asyncio.create_task(socket_client.sockets(_scope(), _connects, _takes_all))
        await asyncio.wait_for(starting.wait(), DEADLINE_SECONDS)
        socket.cancel()  # as Daphne does, ten seconds after its browser left
        await asyncio.wait([socket])

    assert await there_is_room()


def _scope() -> dict[str, Any]:
    return {"type": "websocket", "path": "/ws/stations/", "query_string": b"", "headers": [], "client": HERE}


async def _connects() -> dict[str, Any]:
    return {"type": "websocket.connect"}


async def _takes_all(message: Any) -> None:
    pass
