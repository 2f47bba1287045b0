"""A socket that pulls from the live state at its own pace, and so needs no queue.

Uvicorn's `send` waits while the client does not read, and the next frame then holds all changes missed meanwhile. So a
client that stops reading costs bounded memory. Daphne's `send` does not wait. So the bound does not hold under
`runserver`, which is for local work only.
"""

import asyncio
import contextlib
import logging
from typing import Any, ClassVar, NamedTuple

from channels.generic.websocket import AsyncWebsocketConsumer

from eventbus import clock
from stations.feeds.active_feeds import feed_names
from stations.feeds.registry import is_simulated
from stations.live import live_updates
from stations.live.live_state import encode
from stations.sockets.admission import Admission, MessageRate
from stations.sockets.protocol import BadRequest, Subscribe, read

logger = logging.getLogger(__name__)

PROTOCOL = 2
STALLED_SECONDS_MAX = 30  # without a byte taken: the browser is gone or too slow, and may reconnect
HEARTBEAT_SECONDS = 10  # silence is broken this often; a browser reconnects after two of them

STAFF_ONLY = "This socket is for staff who may see it: sign in."
CLOSE_BEHIND = 4008
CLOSE_BAD_REQUEST = 4400
CLOSE_FORBIDDEN = 4403
CLOSE_TOO_MANY = 4429
CLOSE_BROKEN = 4500  # Daphne accepts no code from 1001 to 1999
CLOSE_TRY_AGAIN = 4503  # the live state cannot start without its database and its log


class Due(NamedTuple):
    """The frames that a socket lacks at this moment. With a close code they are its last ones."""

    frames: list[str | bytes]
    close_code: int | None = None


class LiveSocket(AsyncWebsocketConsumer):
    """The base class of the stations' sockets: entering, reading requests, pulling, heartbeats, leaving.

    A subclass decides who may enter, handles requests, and returns the frames that its client lacks (`due`). The socket
    calls `due` only after the client has taken all earlier frames.
    """

    admission: ClassVar[Admission] = Admission()
    sleep_seconds_max: ClassVar[float] = HEARTBEAT_SECONDS

    entered = False  # True while the admission counts it
    pulling: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Channels calls `disconnect` only if no handler raised an error or was cancelled. The admission counts
        # open sockets, so `leave` must run however the socket ends.
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.leave()

    async def may_enter(self) -> bool:
        return True

    def answer(self, request: Subscribe) -> None:
        """Take a request, whose effect the next `due` returns. Raises BadRequest if this socket takes none."""
        raise NotImplementedError

    async def due(self) -> Due:
        raise NotImplementedError

    @property
    def told_seqs(self) -> dict[str, int]:
        """The seq that this client holds of each contract."""
        raise NotImplementedError

    async def connect(self) -> None:
        await self.accept()
        self.sending_since: float | None = None  # the loop's clock; None: no frame is on its way
        self.stalled = False
        self.awake = asyncio.Event()  # set at each tick, and at each request of the client
        self.message_rate = MessageRate()
        self.address = (self.scope.get("client") or ("",))[0]
        self.entered = self.admission.enter(self.address)
        if not self.entered:
            await self.refuse(CLOSE_TOO_MANY, "too_many_sockets", "This address holds too many sockets: close a page.")
        elif not await self.may_enter():
            await self.refuse(CLOSE_FORBIDDEN, "staff_only", STAFF_ONLY)
        else:
            await self.begin()

    async def begin(self) -> None:
        try:
            self.live = await live_updates.here()
        except live_updates.AWAY:
            await self.refuse(CLOSE_TRY_AGAIN, "not_ready", "The site lacks its database or its log: try again.")
            return
        await self.tell(encode(self.hello()))
        self.live.awake.add(self.awake)
        self.pulling = asyncio.create_task(self.pull())
        self.look()

    def hello(self) -> dict[str, Any]:
        name = ", ".join(feed_names())
        simulated = all(is_simulated(feed) for feed in feed_names())
        return {
            "type": "hello",
            "protocol": PROTOCOL,
            "epoch": self.live.state.epoch,
            "heartbeat_s": HEARTBEAT_SECONDS,
            "server_time": clock.now(),
            "feed": {"name": name, "simulated": simulated},
        }

    async def leave(self) -> None:
        if self.entered:
            self.admission.leave(self.address)
        if self.timer:
            self.timer.cancel()
        if self.pulling:
            self.live.awake.discard(self.awake)
            self.pulling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.pulling

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.pulling is None or self.pulling.done():
            return  # refused already: later requests do not matter
        if self.message_rate.too_fast() or self.admission.too_fast(self.address):
            await self.refuse(CLOSE_TOO_MANY, "too_fast", "Too many messages: wait a little between them.")
            return
        try:
            self.answer(read(text_data))
        except BadRequest as wrong:
            if wrong.fatal:
                await self.refuse(CLOSE_BAD_REQUEST, wrong.code, wrong.message)
            else:
                await self.send(error(wrong.code, wrong.message))
        self.awake.set()

    async def refuse(self, close_code: int, code: str, message: str) -> None:
        """Give the reason in a frame and by the close code. A browser could read neither from a refused handshake."""
        if self.pulling:
            self.pulling.cancel()
        await self.send(error(code, message))
        await self.close(close_code)

    async def pull(self) -> None:
        try:
            await self.pull_until_behind()
        except asyncio.CancelledError:
            if not self.stalled:
                raise
            await self.close(CLOSE_BEHIND)
        except OSError:
            pass  # the browser left during a send: the server reports it next
        except Exception:
            logger.exception("A socket of the stations broke")
            await self.close(CLOSE_BROKEN)

    async def pull_until_behind(self) -> None:
        """Send the due frames, then sleep until the next tick, the client or the timer wakes this socket. Repeat.

        This runs for every frame to every browser, so it creates no task, no timer and no timeout.
        """
        while True:
            self.awake.clear()  # before `due`: a tick after it wakes this socket again
            due = await self.due()
            for frame in due.frames or self.heartbeat():
                await self.tell(frame)
            if due.close_code:
                await self.close(due.close_code)
                return
            await self.awake.wait()

    def heartbeat(self) -> list[str | bytes]:
        if self.live.loop.time() - self.told_at < HEARTBEAT_SECONDS:
            return []
        return [encode({"type": "tick", "at": clock.now(), "seqs": self.told_seqs})]

    async def tell(self, frame: str | bytes) -> None:
        """Send a frame; one in bytes is compressed JSON.

        The production server, uvicorn, returns once the client takes it; Daphne returns at once.
        """
        self.sending_since = self.live.loop.time()
        kind = "bytes" if isinstance(frame, bytes) else "text"
        await self.base_send({"type": "websocket.send", kind: frame})
        self.told_at, self.sending_since = self.sending_since, None

    def look(self) -> None:
        """Run the socket's only timer: wake it in time for a heartbeat, and give up a send that does not end."""
        now = self.live.loop.time()
        if self.sending_since is None:
            self.awake.set()
            silent_until = self.told_at + HEARTBEAT_SECONDS
            again = now + min(self.sleep_seconds_max, HEARTBEAT_SECONDS, STALLED_SECONDS_MAX)
            if silent_until > now:
                again = min(again, silent_until)
        elif now - self.sending_since < STALLED_SECONDS_MAX:
            again = self.sending_since + STALLED_SECONDS_MAX
        else:
            self.stalled = True
            if self.pulling:
                self.pulling.cancel()
            return
        self.timer = self.live.loop.call_at(again, self.look)


def error(code: str, message: str) -> str:
    return encode({"type": "error", "code": code, "message": message})
