"""An ASGI program for a real Daphne: sends without end until the wire says that the client does not read.

Run as `python -m tests.stations.firehose PORT`. Prints "paused N" after N frames that the client did not take, and
when it has taken them, sends N as the last frame.
"""

import asyncio
import logging
import sys
from typing import Any

from channels.sessions import CookieMiddleware, SessionMiddleware
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from django.conf import settings

FRAME = "x" * 262_144
FRAMES_MAX = 400  # 100 MB: nothing between two processes swallows so much unread


async def firehose(scope: Any, receive: Any, send: Any) -> None:
    from stations.wire import Wire

    await receive()
    await send({"type": "websocket.accept"})
    wire, sent = Wire(send), 0
    while not wire.paused and sent < FRAMES_MAX:
        await send({"type": "websocket.send", "text": FRAME})
        sent += 1
        await asyncio.sleep(0)  # the server's turn to write
    print("paused" if wire.paused else "never paused after", sent, flush=True)
    await wire.writable()
    await send({"type": "websocket.send", "text": str(sent)})
    await send({"type": "websocket.close", "code": 1000})


if __name__ == "__main__":
    logging.disable(logging.INFO)
    settings.configure(SECRET_KEY="of a test", SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
    application = CookieMiddleware(SessionMiddleware(firehose))  # wrapped as the site's sockets are
    endpoints = build_endpoint_description_strings(host="127.0.0.1", port=int(sys.argv[1]))
    Server(
        application, endpoints=endpoints, signal_handlers=False, ready_callable=lambda: print("ready", flush=True)
    ).run()
