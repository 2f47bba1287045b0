"""What tests of an order's socket are made of: browsers that listen, and changes that the bus tells them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connections

from eventbus.testing import settle
from mcommerce.routing import build_application
from tests.mcommerce.orders.conftest import Shopper

ANSWER_SECONDS = 60  # for what takes milliseconds on an idle machine, and half a minute beside the chaos


@asynccontextmanager
async def socket_of(
    shopper: Shopper, order_id: UUID, origin: str = "http://testserver", client: str = "203.0.113.9"
) -> AsyncIterator[WebsocketCommunicator]:
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in shopper.browser.cookies.items())
    headers = [(b"host", b"testserver"), (b"origin", origin.encode()), (b"cookie", cookies.encode())]
    socket = WebsocketCommunicator(build_application(), f"/ws/orders/{order_id}/", headers=headers)
    socket.scope["client"] = [client, 50_000]
    try:
        yield socket
    finally:
        await socket.disconnect(timeout=ANSWER_SECONDS)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        try:
            await story()
        finally:
            await database_sync_to_async(connections.close_all)()

    asyncio.run(told())


async def happens(change: Callable[..., Any], **details: Any) -> None:
    """Something changes, and the bus tells it."""

    def do() -> None:
        change(**details)
        settle()

    await database_sync_to_async(do)()


async def hear(socket: WebsocketCommunicator, *, after: int = 0) -> int:
    """The version that is said next; with `after` the next newer one, whatever breaks the silence meanwhile."""
    version = after
    while version <= after:
        version = (await socket.receive_json_from(timeout=ANSWER_SECONDS))["version"]
    return version


async def closing_code(socket: WebsocketCommunicator) -> int:
    connected, _protocol = await socket.connect(timeout=ANSWER_SECONDS)
    assert connected, "a browser hears the code of an open socket only"
    return (await socket.receive_output(timeout=ANSWER_SECONDS))["code"]
