"""An ASGI program for a real Daphne, whose clients it feels by the site's wire.

Run as `python -m tests.stations.firehose PORT [PEM]`; with a key and its certificate it speaks TLS. Each path hears a
word first, and waits at its end until the client is gone.

- `/` sends without end until the wire says that the client does not read, prints "paused N" after N frames, and when
  the client has taken them, sends N as the last.
- `/farewell` says goodbye instead, and prints "late" when autobahn alone would have hung up on a client that is slow.
- `/busy` answers, does nothing at all until a line comes on its standard input, and sends more than Twisted hands to
  the kernel at once, and a last word.
"""

import asyncio
import logging
import sys
from typing import Any

from channels.sessions import CookieMiddleware, SessionMiddleware
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from django.conf import settings

FRAME = "x" * 8_192  # an eighth of what may wait in a transport before its wire is paused
FRAMES_MAX = 12_800  # 100 MB: nothing between two processes swallows so much unread
FRAMES_UNASKED = 16  # with fewer a wire was paused before the kernel was asked to take any
GOODBYE = 4008  # a close code of the site's
LATE_SECONDS = 1.5  # autobahn's own patience with a client's answer to a close frame is one
LARGE = "x" * 262_144  # twice what Twisted hands to the kernel at once


async def serve(scope: Any, receive: Any, send: Any) -> None:
    from stations.sockets.backpressure import Wire

    await receive()
    await send({"type": "websocket.accept"})
    wire = Wire(send)
    await {"/": firehose, "/farewell": say_farewell, "/busy": be_busy}[scope["path"]](wire, receive, send)
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def firehose(wire: Any, receive: Any, send: Any) -> None:
    sent = await _flood(wire, receive, send)
    await wire.writable()
    await send({"type": "websocket.send", "text": str(sent)})


async def say_farewell(wire: Any, receive: Any, send: Any) -> None:
    await _flood(wire, receive, send)
    await send({"type": "websocket.close", "code": GOODBYE})
    await asyncio.sleep(LATE_SECONDS)
    print("late", flush=True)


async def _flood(wire: Any, receive: Any, send: Any) -> int:
    await receive()  # a word: so the handshake is through
    sent = 0
    while not wire.paused and sent < FRAMES_MAX:
        await send({"type": "websocket.send", "text": FRAME})
        sent += 1
        await asyncio.sleep(0)  # the loop's turn to write
    print("paused" if wire.paused else "never paused after", sent, flush=True)
    return sent


async def be_busy(wire: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.send", "text": "at once"})
    sys.stdin.readline()
    for text in (LARGE, "the end"):
        await send({"type": "websocket.send", "text": text})


if __name__ == "__main__":
    logging.disable(logging.INFO)
    settings.configure(SECRET_KEY="of a test", SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
    application = CookieMiddleware(SessionMiddleware(serve))  # wrapped as the site's sockets are
    port, *pem = sys.argv[1:]
    endpoints = build_endpoint_description_strings(host="127.0.0.1", port=int(port))
    if pem:
        endpoints = [f"ssl:{port}:interface=127.0.0.1:privateKey={pem[0]}:certKey={pem[0]}"]
    Server(
        application, endpoints=endpoints, signal_handlers=False, ready_callable=lambda: print("ready", flush=True)
    ).run()
