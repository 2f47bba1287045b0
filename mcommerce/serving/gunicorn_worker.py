"""A gunicorn worker with threads, for pages: probes never wait behind visitors, and a stop loses no visitor."""

import os
import selectors
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import FrameType, SimpleNamespace
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from mcommerce.serving import draining

PROBE = b"GET /health/"
REQUEST_SECONDS = 5.0  # for the first bytes of a request: a proxy sends them with the connection
Connection = Any  # gunicorn has no types


class WholeAnswer:
    """A socket that sends the headers of an answer together with the first part of its body.

    gunicorn sends them one after the other. A process that is killed between the two leaves half an answer, which no
    proxy can repeat.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._headers: bytes | None = None  # None: nothing came yet

    def sendall(self, data: bytes) -> None:
        if self._headers is None:
            self._headers = data
            return
        headers, self._headers = self._headers, b""
        self._sock.sendall(headers + data if headers else data)

    def flush(self) -> None:
        """Send the headers of an answer without a body. Raises OSError if the connection is gone."""
        if self._headers:
            headers, self._headers = self._headers, b""
            self._sock.sendall(headers)

    def __getattr__(self, name: str) -> Any:
        self.flush()  # whatever else is done with the socket comes after the headers
        return getattr(self._sock, name)


class PageWorker(ThreadWorker):
    """A gunicorn worker with an extra thread for health checks: pages that hang must not look like a dead process.

    On SIGTERM it drains, accepts the waiting connections, and closes its listener before it answers the last requests.
    Without this class, gunicorn's worker keeps the listener open meanwhile, up to its graceful timeout. It never
    accepts connections that arrive in that time, and drops them at the end.
    """

    def get_thread_pool(self) -> ThreadPoolExecutor:
        self._for_probes = ThreadPoolExecutor(1, "probes")
        pool: ThreadPoolExecutor = super().get_thread_pool()
        return pool

    # --- a request ---------------------------------------------------------------------------------------------------

    def enqueue_req(self, conn: Connection) -> None:
        """Give a connection to a thread. A new one first waits for its first bytes, which show if it is a probe."""
        if not (conn.initialized or conn.data_ready):
            self._await_bytes(conn)
            return
        pool = self._for_probes if _is_probe(conn.sock) else self.tpool
        pool.submit(self.handle, conn).add_done_callback(partial(self._finished, conn))

    def handle_request(self, req: Any, conn: Connection) -> bool:
        answer = WholeAnswer(conn.sock)
        goes_on = super().handle_request(req, SimpleNamespace(sock=answer, client=conn.client, server=conn.server))
        answer.flush()
        return bool(goes_on)

    def _await_bytes(self, conn: Connection) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + REQUEST_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _finished(self, conn: Connection, outcome: "Future[Any]") -> None:
        self.method_queue.defer(self.finish_request, conn, outcome)

    # --- the end -----------------------------------------------------------------------------------------------------

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start draining on SIGTERM. A second SIGTERM ends the draining, and so the worker."""
        if draining.is_leaving() or not draining.seconds():
            super().handle_exit(sig, frame)
            return
        draining.leave()
        timer = threading.Timer(draining.seconds(), super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and self._stops():
            for listener in self.sockets:
                self._take_in(listener)
                listener.close()

    def _stops(self) -> bool:
        return not self.alive or self.ppid != os.getppid()

    def _take_in(self, listener: socket.socket) -> None:
        before = -1
        while before != self.nr_conns:  # it counts each that it has accepted
            before = self.nr_conns
            self.accept(listener)


def _is_probe(client: socket.socket) -> bool:
    """Return whether the first bytes from a client are a health check's. The bytes stay unread."""
    try:
        return client.recv(len(PROBE), socket.MSG_PEEK | socket.MSG_DONTWAIT) == PROBE
    except OSError:
        return False
