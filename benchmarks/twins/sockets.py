"""asyncio alone: shakes hands, and writes each frame, made once for everybody, to every transport."""

import asyncio
import base64
import hashlib
import socket
import threading
from collections.abc import Callable
from typing import Any

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Bare(asyncio.Protocol):
    """Shakes hands and listens to nothing."""

    everybody: set[asyncio.Transport] = set()  # noqa: RUF012  # there is one server a process

    def connection_made(self, transport: Any) -> None:
        self._transport, self._request = transport, b""

    def data_received(self, data: bytes) -> None:
        if self._transport in self.everybody:
            return
        self._request += data
        if b"\r\n\r\n" in self._request:
            self._transport.write(_handshake(self._request))
            self.everybody.add(self._transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.everybody.discard(self._transport)


def _handshake(request: bytes) -> bytes:
    lines = dict(line.split(b": ", 1) for line in request.split(b"\r\n") if b": " in line)
    accept = base64.b64encode(hashlib.sha1(lines[b"Sec-WebSocket-Key"] + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )


def serve(
    listener: socket.socket, backlog: int, obey: Callable[[Callable[[], None]], None], next_frame: Callable[[], bytes]
) -> None:
    """Until the process ends. `obey` runs in a thread and calls what it is given for each frame that is due."""

    def broadcast() -> None:
        frame = next_frame()
        for transport in Bare.everybody:
            transport.write(frame)

    async def listen() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Bare, sock=listener, backlog=backlog)
        threading.Thread(target=obey, args=(lambda: loop.call_soon_threadsafe(broadcast),), daemon=True).start()
        await server.serve_forever()

    asyncio.run(listen())
