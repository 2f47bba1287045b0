"""Accepts every socket, and takes what comes."""

from typing import Any


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return await _begin_and_end(receive, send)
    message = await receive()
    await send({"type": "websocket.accept"})
    while message["type"] != "websocket.disconnect":
        message = await receive()


async def _begin_and_end(receive: Any, send: Any) -> None:
    for _step in ("startup", "shutdown"):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
