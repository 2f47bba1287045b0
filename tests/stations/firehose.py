"""An ASGI program for a real Daphne, whose clients it feels by the site's wire.

Run as `python -m tests.stations.firehose PORT [PEM]`; with a key and its certificate it speaks TLS. At `/`, once it has
heard a word, it sends without end until the wire says that the client does not read, prints "paused N" after N frames,
and when the client has taken them, sends N as the last. At `/busy` it answers a word, does nothing at all until a line
comes on its standard input, and sends more than Twisted hands to the kernel at once, and a last word.
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
LARGE = "x" * 262_144  # twice what Twisted hands to the kernel at once


async def serve(scope: Any, receive: Any, send: Any) -> None:
    from stations.wire import Wire

    await receive()
    await send({"type": "websocket.accept"})
    wire = Wire(send)
    await {"/": firehose, "/busy": be_busy}[scope["path"]](wire, receive, send)
    # The client says when it has read enough: Daphne hangs up a second after its own word, whatever is still to be read.
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def firehose(wire: Any, receive: Any, send: Any) -> None:
    await receive()  # a word: so the handshake is through
    sent = 0
    while not wire.paused and sent < FRAMES_MAX:
        await send({"type": "websocket.send", "text": FRAME})
        sent += 1
        await asyncio.sleep(0)  # the loop's turn to write
    print("paused" if wire.paused else "never paused after", sent, flush=True)
    await wire.writable()
    await send({"type": "websocket.send", "text": str(sent)})


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
