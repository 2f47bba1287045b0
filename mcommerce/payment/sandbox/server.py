"""The HTTP server: one thread per request, a bounded number of them, one connection per request."""

import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import urlsplit

from mcommerce.payment.sandbox import page_renderer
from mcommerce.payment.sandbox.api import Api
from mcommerce.payment.sandbox.http_messages import Request, Response, error
from mcommerce.payment.sandbox.payment_page import Checkout
from mcommerce.payment.sandbox.provider_books import Ledger
from mcommerce.payment.sandbox.sessions import Lateness
from mcommerce.payment.sandbox.webhooks import WebhookSender

logger = logging.getLogger(__name__)

BODY_BYTES_MAX = 16 * 1024  # a form or a small JSON object
REQUESTS_AT_ONCE_MAX = 64  # threads: above it a connection is closed at once
CLOSING_POLL_SECONDS = 0.05  # how soon close() is noticed
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
SOCKET_TIMEOUT_SECONDS = 10  # a client that stalls must not hold its thread


class SandboxProvider:
    """The running stand-in. `url` is its origin; `close()` ends it and all of its threads."""

    def __init__(self, server: "_Server", sender: WebhookSender, ledger: Ledger) -> None:
        self.url = server.url
        self._server = server
        self._sender = sender
        self._ledger = ledger
        self._thread = threading.Thread(
            target=server.serve_forever, args=(CLOSING_POLL_SECONDS,), name="sandbox-provider", daemon=True
        )

    def start(self) -> None:
        self._sender.start()
        self._thread.start()

    def wait(self) -> None:
        """Block until it is closed."""
        self._thread.join()

    def close(self) -> None:
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._sender.close()
        self._ledger.close()


def serve(
    host: str,
    port: int,
    *,
    ledger_path: Path | str,
    api_key: str,
    webhook_secret: str,
    public_url: str = "",
    now: Callable[[], float] = time,
    hold_seconds: float = 6.0,
    answers_lost: int = 2,
    late_webhook_seconds: float | None = 45.0,
) -> SandboxProvider:
    """Start the stand-in in threads of this process. Port 0 picks a free one. Raises OSError when the port is taken.

    `public_url`: the origin that browsers use when it is not http://host:port. `now`: a clock, in seconds since 1970.

    The rest concerns the lost-answer card. After a payment with it, the browser is sent back after `hold_seconds`. The
    shop's next `answers_lost` requests about the session wait as long, and are then dropped without an answer. The
    webhook is sent after `late_webhook_seconds`, or never if that is None.
    """
    ledger = Ledger(ledger_path, now)
    try:
        server = _Server((host, port), _Handler)
    except OSError:
        ledger.close()
        raise
    server.url = public_url.rstrip("/") or f"http://{host}:{server.server_port}"
    server.hold_seconds = hold_seconds
    server.sender = WebhookSender(ledger, secret=webhook_secret)
    server.api = Api(ledger, key=api_key, url=server.url)
    server.checkout = Checkout(ledger, lateness=Lateness(answers_lost, late_webhook_seconds))
    provider = SandboxProvider(server, server.sender, ledger)
    provider.start()
    return provider


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that close() waits for them: no thread writes to a closed ledger
    request_queue_size = 64
    url: str
    hold_seconds: float
    sender: WebhookSender
    api: Api
    checkout: Checkout

    def __init__(self, *args: Any) -> None:
        self.closing = threading.Event()
        self._room = threading.BoundedSemaphore(REQUESTS_AT_ONCE_MAX)
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.info("A connection ended early", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SOCKET_TIMEOUT_SECONDS

    def version_string(self) -> str:
        return "SandboxPay"

    def do_GET(self) -> None:
        self._reply(self._route(b""))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self._reply(error(413, "too_large", f"A body has a Content-Length of at most {BODY_BYTES_MAX} bytes."))
            return
        response = self._route(self.rfile.read(int(length)))
        self.server.sender.wake()
        self._reply(response)

    def _route(self, body: bytes) -> Response:
        parts = urlsplit(self.path)
        headers = {name.title(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, parts.query, headers, body)
        if parts.path.startswith("/v1/"):
            return self.server.api.answer(request)
        if parts.path in page_renderer.ASSETS and self.command == "GET":
            content, content_type = page_renderer.ASSETS[parts.path]
            return Response(200, content, content_type, {"Cache-Control": "no-cache"})
        return self.server.checkout.answer(request)

    def _reply(self, response: Response) -> None:
        if response.held or response.lost:
            self.server.closing.wait(self.server.hold_seconds)
        if response.lost:
            return  # the connection closes without an answer
        self.send_response(response.status)
        headers = {
            "Content-Type": response.content_type,
            "Content-Length": str(len(response.body)),
            **response.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def end_headers(self) -> None:
        """Add the common headers, also to the errors that this server creates itself."""
        for name, value in ALWAYS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        # Path and status only: bodies hold card numbers, queries and headers hold keys.
        logger.debug("%s %s %s", self.command or "-", urlsplit(self.path or "").path, args[1] if len(args) > 1 else "")
