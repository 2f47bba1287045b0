"""An ASGI program for the production server: it sends without end to a client that does not read.

Run as `python -m tests.stations.flooding_server PORT`. After the client's first word it sends frames until one `send`
takes longer than WAITS_SECONDS, and prints "waits N": N frames are sent, and one more waits. Then it sends a last one.
"""

import asyncio
import random
import sys
from typing import Any

import uvicorn

FRAME = random.Random(7).randbytes(4_096).hex()  # the server compresses: this halves, and no further
FRAMES_MAX = 12_800  # 100 MB: nothing between two processes swallows so much unread
WAITS_SECONDS = 1.0  # longer than any `send` to a client that reads


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    await receive()
    sent = 0
    while sent < FRAMES_MAX:
        sending = asyncio.ensure_future(send({"type": "websocket.send", "text": FRAME}))
        done, _ = await asyncio.wait([sending], timeout=WAITS_SECONDS)
        if not done:
            print("waits", sent, flush=True)
            await sending
            break
        sent += 1
    else:
        print("never", sent, flush=True)
    await send({"type": "websocket.send", "text": "the last"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


class Server(uvicorn.Server):
    """A server that prints "ready" once it listens."""

    async def startup(self, *arguments: Any, **named: Any) -> None:
        await super().startup(*arguments, **named)
        print("ready", flush=True)


if __name__ == "__main__":
    Server(uvicorn.Config(application, port=int(sys.argv[1]), lifespan="off", log_level="warning")).run()
