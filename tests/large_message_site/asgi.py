"""Accepts every socket, and takes what comes; at `/ws/large/` it sends a snapshot's size first."""

from typing import Any

SNAPSHOT = "x" * 1_200_000  # bytes: more than a map of all simulated cities


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return await _begin_and_end(receive, send)
    message = await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == "/ws/large/":
        await send({"type": "websocket.send", "text": SNAPSHOT})
    while message["type"] != "websocket.disconnect":
        message = await receive()


async def _begin_and_end(receive: Any, send: Any) -> None:
    for _step in ("startup", "shutdown"):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
