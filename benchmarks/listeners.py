"""Many sockets in one thread, each noting how old every frame is when it has been read. As little work as can be."""

import asyncio
import base64
import os
import socket
import struct
import threading
import time
from typing import Any

SOCKETS_PER_ADDRESS = 50  # the site lets one address hold 60
CONNECT_AT_ONCE = 50
AT = b'"at":'
AT_CHARACTERS = 13  # of a time in milliseconds since 1970
SUBSCRIBE = b'{"type":"subscribe","contracts":"*"}'
CONNECT_SECONDS = 60
SILENT_BUFFER_BYTES = 4_096  # in the kernel, of who does not read: what is sent soon waits in the server's process


class Listener(asyncio.Protocol):
    """One socket: shakes hands, subscribes, and notes each delta's age in milliseconds."""

    def __init__(self, path: str, ages: list[float], *, reads: bool) -> None:
        self._path, self._ages, self._reads = path, ages, reads
        self._buffer = bytearray()
        self.ready = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.ready.done():
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            if b" 101 " not in self._buffer[:head]:
                self.ready.set_exception(ConnectionError(self._buffer[:head].decode()))
                return
            del self._buffer[: head + 4]
            self._transport.write(masked(SUBSCRIBE))
            self.ready.set_result(None)
            if not self._reads:
                self._transport.pause_reading()
        self._read_frames()

    def _read_frames(self) -> None:
        while (frame := _frame(self._buffer)) is not None:
            start, end = frame
            payload = self._buffer[start:end]
            if b'"delta"' in payload[:40]:
                self._ages.append(_age_ms(payload))
            del self._buffer[:end]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionError("closed during the handshake"))


def masked(payload: bytes) -> bytes:
    """A client's text frame; the mask is zero, which masks nothing and is allowed (RFC 6455, section 5.3)."""
    return bytes([0x81, 0x80 | len(payload)]) + b"\0\0\0\0" + payload


def _frame(buffer: bytearray) -> tuple[int, int] | None:
    if len(buffer) < 2:
        return None
    length, start = buffer[1] & 0x7F, 2
    if length >= 126:
        size, code = (2, ">H") if length == 126 else (8, ">Q")
        if len(buffer) < 2 + size:
            return None
        length, start = struct.unpack(code, buffer[2 : 2 + size])[0], 2 + size
    return (start, start + length) if len(buffer) >= start + length else None


def _age_ms(payload: bytearray) -> float:
    at = payload.find(AT) + len(AT)
    return time.time() * 1000 - int(payload[at : at + AT_CHARACTERS])


class Crowd:
    """`count` sockets on a thread of their own; `ages` is what they noted since it was last cleared."""

    def __init__(self, port: int, path: str, count: int, *, silent: int = 0) -> None:
        self.ages: list[float] = []
        # Nobody else knows of one that does not read: it would be closed as garbage.
        self._listeners: list[Listener] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        joined = asyncio.run_coroutine_threadsafe(self._join(port, path, count, silent), self._loop)
        joined.result(CONNECT_SECONDS)

    async def _join(self, port: int, path: str, count: int, silent: int) -> None:
        for start in range(0, count + silent, CONNECT_AT_ONCE):
            numbers = range(start, min(start + CONNECT_AT_ONCE, count + silent))
            await asyncio.gather(*(self._connect(port, path, number, reads=number < count) for number in numbers))

    async def _connect(self, port: int, path: str, number: int, *, reads: bool) -> None:
        client = socket.socket()
        client.setblocking(False)
        if not reads:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SILENT_BUFFER_BYTES)
        client.bind((f"127.0.1.{1 + number // SOCKETS_PER_ADDRESS}", 0))
        await self._loop.sock_connect(client, ("127.0.0.1", port))
        _, listener = await self._loop.create_connection(lambda: Listener(path, self.ages, reads=reads), sock=client)
        await listener.ready
        self._listeners.append(listener)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
