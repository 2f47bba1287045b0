"""Whether a browser takes what it is sent.

`await send(...)` of an ASGI server should wait while the client does not read. uvicorn's does. Daphne's returns as soon
as the bytes are in the transport's buffer, which has no end: a client that stops reading would cost memory without
limit. But the transport knows: it asks its producer to pause once more than 64 kB wait in it, until all is gone. So
before a frame is made, a socket looks whether its transport is paused, and makes none until it is not. What it missed
meanwhile it is told in one frame. Acknowledgements by the client would do the same behind every server, yet a client
that wants harm does not send them.

A plain connection behind Daphne is also made to write at once (`stations.at_once`).
"""

import asyncio
import functools
from typing import Any

STALLED_SECONDS_MAX = 30  # not a byte taken for that long: the browser is gone or hopeless, and may come back
LOOK_SECONDS = 0.05  # how often a stalled wire is looked at; only those are
FRAME_BYTES_MAX = 65_536  # Daphne drops a client whose frame is larger, unread; our own limit, with a word, is lower
MESSAGE_BYTES_MAX = 16_777_216  # Daphne's limit for both ways: in many frames, and of a snapshot of 40,000 stations


class Stalled(Exception):
    """The client took nothing for STALLED_SECONDS_MAX."""


class Wire:
    """One client's connection, as far as it can be felt from behind an ASGI `send`."""

    def __init__(self, send: Any) -> None:
        self._protocol = _daphne_protocol(send)
        if hasattr(self._protocol, "maxMessagePayloadSize"):  # Daphne's own have no limit at all
            self._protocol.maxFramePayloadSize = FRAME_BYTES_MAX
            self._protocol.maxMessagePayloadSize = MESSAGE_BYTES_MAX
            # autobahn's own second cuts off the close code, and the snapshot before it, for whom both are meant
            self._protocol.closeHandshakeTimeout = STALLED_SECONDS_MAX
            _write_at_once(self._protocol.transport)

    @property
    def paused(self) -> bool:
        """Whether bytes wait that the client has not taken. Always False where `send` itself waits."""
        transport = getattr(self._protocol, "transport", None)
        return bool(getattr(transport, "producerPaused", False))

    async def writable(self, *, seconds_max: float = STALLED_SECONDS_MAX) -> None:
        """Return once the client has taken what it was sent. Raises Stalled."""
        try:
            async with asyncio.timeout(seconds_max):
                while self.paused:
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise Stalled from None


def _daphne_protocol(send: Any) -> Any:
    """Daphne's protocol object behind `send`, through the middleware that wrapped it; None with any other server."""
    while (behind := getattr(getattr(send, "__self__", None), "real_send", None)) is not None:
        send = behind  # Channels' session middleware
    return send.args[0] if isinstance(send, functools.partial) and send.args else None


def _write_at_once(transport: Any) -> None:
    """Make a plain TCP connection of Twisted's write at once. Any other, as one with TLS, stays as it is."""
    # Only behind Daphne, which has loaded Twisted.
    from twisted.internet.tcp import Server

    from stations.at_once import ServerAtOnce

    if type(transport) is Server and not transport.TLS:
        transport.__class__ = ServerAtOnce
