"""Daphne's server with our headers on the answers that it creates itself. It loads Twisted."""

from typing import Any

from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from mcommerce.web.response_headers import ALWAYS


class SocketWithHeaders(WebSocketProtocol):
    """A WebSocket connection that answers with our headers. Its size limit applies to clients' messages alone."""

    maxMessagePayloadSize: int  # noqa: N815  # Autobahn's name

    def serverAccept(self, subprotocol: Any = None) -> None:  # noqa: N802
        super().serverAccept((subprotocol, dict(ALWAYS)))  # it goes to Autobahn, which takes both

    def serverSend(self, content: Any, binary: bool = False) -> None:  # noqa: N802
        """Send a message of any size. Autobahn would also apply the size limit for clients' messages to ours."""
        limit, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            super().serverSend(content, binary)
        finally:
            self.maxMessagePayloadSize = limit

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:  # noqa: N802, N803
        headers = [*(responseHeaders or []), *ALWAYS.items(), ("Content-Length", "0")]
        super().sendHttpErrorResponse(code, reason, headers)


class ServerWithHeaders(Server):
    """A server of such connections. Daphne makes the factory itself, so `run` sets the protocol on its class."""

    def run(self) -> None:
        WebSocketFactory.protocol = SocketWithHeaders
        super().run()
