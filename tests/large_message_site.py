"""A site whose one socket takes whatever it is sent, under the servers and with the settings of the project.

At `/ws/large/` it sends a snapshot's size first. This is both its application and its settings.
"""

from typing import Any

from mcommerce.settings import *  # noqa: F403

ASGI_APPLICATION = "tests.large_message_site.application"
SNAPSHOT = "x" * 1_200_000  # bytes: more than a map of all simulated cities


async def application(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    await send({"type": "websocket.accept"})
    if scope["path"] == "/ws/large/":
        await send({"type": "websocket.send", "text": SNAPSHOT})
    while message["type"] != "websocket.disconnect":
        message = await receive()
