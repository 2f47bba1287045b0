"""One HTTP request with a limit on its total time and on the size of its answer, however slow the server is.

A socket's timeout starts again with every byte. So each request has a thread of its own, and the caller waits for it no
longer than `seconds`. Then the caller cuts the connection, which ends the thread too.
"""

import ipaddress
import logging
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

CHUNK_BYTES = 64 * 2**10  # unpacked bytes per read: an answer exceeds its limit by at most this much
CONNECT_SECONDS = 3.05  # just above one TCP retransmission; less when less time is left


class Why(StrEnum):
    """The reason for a missing answer."""

    UNREACHABLE = "not reached"
    TOO_SLOW = "not in time"
    BROKEN_OFF = "broken off"
    TOO_LARGE = "too large"
    UNEXPECTED = "unexpected"
    PRIVATE = "inside a private network"


class NoAnswer(Exception):
    """No readable answer came. `arrived`: the server may have received the request and acted on it.

    The error contains no URL, since a URL may contain a key, and no content of the answer.
    """

    def __init__(self, why: Why, detail: str = "", *, arrived: bool) -> None:
        super().__init__(f"{why} ({detail})" if detail else str(why))
        self.why = why
        self.detail = detail
        self.arrived = arrived


@dataclass(frozen=True)
class Answer:
    """A whole answer, unpacked. A redirect is an answer too: it is never followed."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def ask(
    method: str,
    url: str,
    *,
    seconds: float,
    bytes_max: int,
    trust_env: bool = False,
    public_only: bool = False,
    secret_url: bool = False,
    **asked: Any,
) -> Answer:
    """Send one request and return its answer. Raises NoAnswer if none comes that can be read.

    `seconds` limits the whole exchange: DNS, proxies, TLS, headers and body. `bytes_max` limits the unpacked body.
    `trust_env`: use the environment's proxies, which see the request, and a .netrc file. `public_only`: connect to no
    address of a private network. The name is resolved once, and the connection goes to the address that was checked. A
    proxy resolves names by itself. `secret_url`: the address may hold a secret, so no library logs this request, at any
    level. `asked`: arguments for `requests`, such as headers, json, auth.
    """
    if seconds <= 0:  # earlier calls used up the time
        raise NoAnswer(Why.TOO_SLOW, arrived=False)
    question = _PendingRequest(method, url, seconds, bytes_max, trust_env, public_only, secret_url, asked)
    threading.Thread(target=question.run, name="outside", daemon=True).start()
    if not question.done.wait(seconds):
        question.cut()
        raise NoAnswer(Why.TOO_SLOW, arrived=question.connected)
    if question.answer is None:  # raised outside the `except`: the error that caused it holds the address
        raise question.failure or NoAnswer(Why.UNEXPECTED, arrived=True)
    return question.answer


class _PendingRequest:
    """The state of one request that its thread shares with the waiting caller."""

    def __init__(
        self,
        method: str,
        url: str,
        seconds: float,
        bytes_max: int,
        trust_env: bool,
        public_only: bool,
        secret_url: bool,
        asked: dict[str, Any],
    ) -> None:
        self._asked = {"method": method, "url": url, **asked}
        self._seconds, self._bytes_max, self._trust_env = seconds, bytes_max, trust_env
        self._public_only = public_only
        self.secret_url = secret_url
        self._lock = threading.Lock()
        self._lines: list[socket.socket] = []
        self._over = False
        self.done = threading.Event()
        self.answer: Answer | None = None
        self.failure: NoAnswer | None = None

    @property
    def connected(self) -> bool:
        """True once a connection was made."""
        return bool(self._lines)

    def run(self) -> None:
        _here.question = self
        try:
            self.answer = self._ask()
        except NoAnswer as failure:
            self.failure = failure
        except Exception as error:
            self.failure = self._failed(error)
        finally:
            self.done.set()
            for line in self._lines:
                line.close()

    def hold(self, line: socket.socket) -> None:
        """Keep a duplicate handle of a new connection, which TLS does not take over."""
        with self._lock:
            if self._over:
                line.close()
                raise NoAnswer(Why.TOO_SLOW, arrived=False)
            self._lines.append(line.dup())

    def cut(self) -> None:
        """Shut down all connections, which ends every read and write. The caller no longer waits."""
        with self._lock:
            self._over = True
            for line in self._lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> Answer:
        with requests.Session() as http:
            http.trust_env = self._trust_env
            adapter = _PublicAdapter if self._public_only else _Adapter
            http.mount("http://", adapter())
            http.mount("https://", adapter())
            timeout = (min(CONNECT_SECONDS, self._seconds), self._seconds)
            with http.request(**self._asked, timeout=timeout, allow_redirects=False, stream=True) as told:
                return Answer(told.status_code, self._body(told), told.headers)

    def _body(self, told: requests.Response) -> bytes:
        length = told.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > self._bytes_max:
            raise NoAnswer(Why.TOO_LARGE, arrived=True)
        body = bytearray()
        for piece in told.iter_content(CHUNK_BYTES):
            body += piece
            if len(body) > self._bytes_max:
                self.cut()  # otherwise closing would read on
                raise NoAnswer(Why.TOO_LARGE, arrived=True)
        return bytes(body)

    def _failed(self, error: Exception) -> NoAnswer:
        """Return the NoAnswer for an error. It names only the error's type, since its text holds the address."""
        kind = type(error).__name__
        if isinstance(error, requests.ConnectTimeout):
            return NoAnswer(Why.UNREACHABLE, kind, arrived=False)
        if isinstance(error, requests.Timeout):
            return NoAnswer(Why.TOO_SLOW, kind, arrived=True)
        if isinstance(error, requests.exceptions.SSLError):
            return NoAnswer(Why.UNREACHABLE, kind, arrived=True)
        if isinstance(error, requests.ConnectionError):
            why = Why.BROKEN_OFF if self.connected else Why.UNREACHABLE
            return NoAnswer(why, kind, arrived=self.connected)
        if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
            return NoAnswer(Why.BROKEN_OFF, kind, arrived=True)
        return NoAnswer(Why.UNEXPECTED, kind, arrived=True)


class _ThreadState(threading.local):
    question: _PendingRequest  # missing in threads that send no request


_here = _ThreadState()

# The loggers that name a request's address. A parent's filter does not see the records of its children.
LOGGERS = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.split(".")[0] == "urllib3"]


def _may_be_logged(_record: logging.LogRecord) -> bool:
    question = getattr(_here, "question", None)
    return question is None or not question.secret_url


for _logger in LOGGERS:
    _logger.addFilter(_may_be_logged)


class _Held(HTTPConnection):
    """A connection that the waiting caller can cut."""

    def _new_conn(self) -> socket.socket:
        line = super()._new_conn()
        _here.question.hold(line)
        return line


class _HeldTLS(_Held, HTTPSConnection):
    """A TLS connection that the waiting caller can cut."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Held


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _HeldTLS


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}

    def proxy_manager_for(self, *given: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(*given, **named)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}
        return manager


def public_address(host: str, port: int) -> str:
    """Return an address of this host, checked to be public. Raises NoAnswer if one of its addresses is not."""
    found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not found or not all(is_public(address) for address in found):
        raise NoAnswer(Why.PRIVATE, arrived=False)
    return found[0]


def is_public(address: str) -> bool:
    """Return True if this address is of the public internet, also one that stands for an IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None and not inner.is_global:
            return False
        if ip.is_site_local or any(ip in network for network in _OLD_WAYS_TO_IPV4):
            return False
    return ip.is_global and not ip.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_OLD_WAYS_TO_IPV4 = (ipaddress.ip_network("::/96"), ipaddress.ip_network("::ffff:0:0:0/96"))  # RFC 4291, RFC 2765


class _PublicHeld(_Held):
    """A connection to the one address that was checked: a second look at the name could give another."""

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        self._dns_host = public_address(name, self.port)
        try:
            return super()._new_conn()
        finally:
            self._dns_host = name  # TLS checks the certificate against the name


class _PublicHeldTLS(_PublicHeld, HTTPSConnection):
    """A TLS connection to the one address that was checked."""


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _PublicHeld


class _PublicPoolTLS(HTTPSConnectionPool):
    ConnectionCls = _PublicHeldTLS


class _PublicAdapter(_Adapter):
    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _PublicPool, "https": _PublicPoolTLS}
