"""Every socket x everybody who may come, through the whole application as it is deployed."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connections

from mcommerce.orders.open_sockets import live_orders
from mcommerce.routing import build_application
from stations.live import live_updates
from tests.permissions import access_table, sample_rows
from tests.permissions.access_needs import Need, Visitor
from tests.permissions.visitors import Cast, everybody

pytestmark = pytest.mark.django_db(transaction=True)

ANSWER_SECONDS = 60  # for what takes milliseconds on an idle machine


@pytest.fixture
def cast(settings: Any) -> Iterator[Cast]:
    settings.STATIONS_PRODUCER_OPEN = False
    yield everybody()
    live_orders.close()


@pytest.mark.parametrize("path", access_table.SOCKETS)
def test_a_socket_speaks_to_whom_its_row_names(path: str, cast: Cast) -> None:
    need, order = access_table.SOCKETS[path], sample_rows.order_of_the_customer()
    address = "/" + path.replace("<uuid:order_id>", str(order.pk))

    assert asyncio.run(deviations(address, need, cast)) == []


async def deviations(address: str, need: Need, cast: Cast) -> list[str]:
    found = []
    try:
        for visitor in cast.trying(need):
            await database_sync_to_async(cast.becomes)(visitor)
            if await speaks_to(address, cast, visitor) != need.lets_in(visitor):
                found.append(f"{visitor.name} is {'refused' if need.lets_in(visitor) else 'let in'}")
    finally:
        await live_updates.close()
        await database_sync_to_async(connections.close_all)()
    return found


async def speaks_to(address: str, cast: Cast, visitor: Visitor) -> bool:
    """Whether the first thing it says is neither an error nor that it closes."""
    cookies = "; ".join(f"{name}={value}" for name, value in cast.cookies[visitor.name].items())
    headers = [(b"host", b"testserver"), (b"origin", b"http://testserver"), (b"cookie", cookies.encode())]
    socket = WebsocketCommunicator(build_application(), address, headers=headers)
    try:
        connected, _protocol = await socket.connect(timeout=ANSWER_SECONDS)
        first = await socket.receive_output(timeout=ANSWER_SECONDS) if connected else {"type": "websocket.close"}
    finally:
        await socket.disconnect(timeout=ANSWER_SECONDS)
    return first["type"] == "websocket.send" and json.loads(first["text"]).get("type") != "error"
