"""Backpressure from a browser that does not read its frames.

`await send(...)` of an ASGI server should wait while the client does not read. uvicorn's does. Daphne's returns as soon
as the bytes are in the transport's buffer, which has no limit. So a client that stops reading would cost memory without
limit. But the transport asks its producer to pause once more than 64 kB wait in it, until all are gone. So before a
socket makes a frame, it checks its transport, and makes none while that is paused. One frame then holds all changes
missed meanwhile. Acknowledgements by the client would work behind every server, but a malicious client does not send
them.

This module also makes a plain connection behind Daphne write at once (`stations.sockets.at_once`).
"""

import asyncio
import functools
from typing import Any

STALLED_SECONDS_MAX = 30  # without a byte taken: the browser is gone or hopeless, and may reconnect
LOOK_SECONDS = 0.05  # between two looks at a stalled connection; no others are checked
FRAME_BYTES_MAX = 65_536  # Daphne drops a client with a larger frame, unread; our own limit, with an error, is lower
MESSAGE_BYTES_MAX = 16_777_216  # Daphne's limit for both directions: many frames in, a snapshot of 40,000 stations out


class Stalled(Exception):
    """The client took nothing for STALLED_SECONDS_MAX."""


class Wire:
    """One client's connection, as far as it can be reached through an ASGI `send`."""

    def __init__(self, send: Any) -> None:
        self._protocol = _daphne_protocol(send)
        if hasattr(self._protocol, "maxMessagePayloadSize"):  # Daphne itself sets no limit
            self._protocol.maxFramePayloadSize = FRAME_BYTES_MAX
            self._protocol.maxMessagePayloadSize = MESSAGE_BYTES_MAX
            # autobahn's own 1 s cuts off the close code, and the snapshot before it, for the slow clients they are for
            self._protocol.closeHandshakeTimeout = STALLED_SECONDS_MAX
            _write_at_once(self._protocol.transport)

    @property
    def paused(self) -> bool:
        """True while bytes wait that the client has not taken. Always False where `send` itself waits."""
        transport = getattr(self._protocol, "transport", None)
        return bool(getattr(transport, "producerPaused", False))

    async def writable(self, *, seconds_max: float = STALLED_SECONDS_MAX) -> None:
        """Return once the client has taken all sent bytes. Raises Stalled."""
        try:
            async with asyncio.timeout(seconds_max):
                while self.paused:
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise Stalled from None


def _daphne_protocol(send: Any) -> Any:
    """Return Daphne's protocol object behind `send` and its middleware; None with any other server."""
    while (behind := getattr(getattr(send, "__self__", None), "real_send", None)) is not None:
        send = behind  # Channels' session middleware
    return send.args[0] if isinstance(send, functools.partial) and send.args else None


def _write_at_once(transport: Any) -> None:
    """Make a plain TCP connection of Twisted's write at once. Any other, for example TLS, stays as it is."""
    # Only behind Daphne, which has loaded Twisted.
    from twisted.internet.tcp import Server

    from stations.sockets.at_once import ServerAtOnce

    if type(transport) is Server and not transport.TLS:
        transport.__class__ = ServerAtOnce
