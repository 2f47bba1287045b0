"""A TCP proxy whose connections can be cut, held half open, and slowed: what lies between a process and a server."""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

BYTES_AT_ONCE = 65_536
AWAY_SECONDS = 2.0  # so long who connects waits for a server that is away
AGAIN_SECONDS = 0.5  # between two tries to reach it: sixty clients try at once
RESET = struct.pack("ii", 1, 0)  # "linger" for no time at all: closing resets, instead of saying goodbye
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Reach = Callable[[], Awaitable[Ends]]


def over_socket(path: str) -> Reach:
    """To a server that listens on a socket in the file system."""
    return lambda: asyncio.open_unix_connection(path)


def over_port(port: int) -> Reach:
    """To a server on loopback."""
    return lambda: asyncio.open_connection("127.0.0.1", port)


class Link:
    """Listens at `port` of loopback from when it is made, and leads to what `reach` reaches. For any thread."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.carried = 0  # bytes, both ways
        self._delay_seconds = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    def cut(self) -> int:
        """Every connection is reset; new ones are led as before. How many there were."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    def silence(self) -> None:
        """Nothing passes, and nothing closes; who connects anew is heard by nobody."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def slow(self, seconds: float) -> None:
        """Whatever passes takes so long, each way."""
        self._delay_seconds = seconds

    def mend(self) -> None:
        """As at the beginning. What was held back passes."""
        self._delay_seconds = 0.0
        self._loop.call_soon_threadsafe(self._passing.set)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._listener.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._passing.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._lead, sock=self._listener))
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._cut())
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._passing.wait()
            far_reader, far_writer = await self._reached()
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(far_writer)
        try:
            await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        finally:
            for one in (writer, far_writer):
                one.transport.abort()
                self._writers.discard(one)

    async def _reached(self) -> Ends:
        """A server that is away refuses at once, and its clients wait ever longer: we cannot refuse what we took.

        Hung up on at once, each of some sixty clients would come again five times a second, until nothing else runs.
        """
        until = self._loop.time() + AWAY_SECONDS
        while True:
            try:
                return await self._reach()
            except (ConnectionRefusedError, FileNotFoundError):
                if self._loop.time() > until:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until there is no more; then the other side is told so, and hung up on when the line broke."""
        try:
            while some := await reader.read(BYTES_AT_ONCE):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                await self._passing.wait()
                writer.write(some)
                await writer.drain()
                self.carried += len(some)
            writer.write_eof()
        except OSError:
            writer.transport.abort()

    async def _cut(self) -> int:
        cut = len(self._writers) // 2
        for writer in list(self._writers):
            with suppress(OSError):  # closed already
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
        await asyncio.sleep(0)
        return cut
