"""Daphne's server with our headers on the answers that it creates itself. It loads Twisted."""

from typing import Any

from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from mcommerce.web.response_headers import ALWAYS


class SocketWithHeaders(WebSocketProtocol):  # type: ignore[misc]  # Daphne has no types
    """A socket whose handshake response has the headers of every other answer."""

    def serverAccept(self, subprotocol: Any = None) -> None:  # noqa: N802
        super().serverAccept((subprotocol, dict(ALWAYS)))  # it goes to Autobahn, which takes both

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:  # noqa: N802, N803
        headers = [*(responseHeaders or []), *ALWAYS.items(), ("Content-Length", "0")]
        super().sendHttpErrorResponse(code, reason, headers)


class ServerWithHeaders(Server):  # type: ignore[misc]
    """A server of such sockets. It builds its factory itself, so the protocol is set on the factory's class."""

    def run(self) -> None:
        WebSocketFactory.protocol = SocketWithHeaders
        super().run()
