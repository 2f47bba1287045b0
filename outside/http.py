"""One question over HTTP: all of it within a time and a size, whoever answers, and however slowly.

A timeout of a socket begins anew with every byte. So each question has a thread of its own, and who asked waits for it
no longer than `seconds`: then its connection is cut, which ends the thread too.
"""

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

CHUNK_BYTES = 64 * 2**10  # read at once, unpacked: so much more than its limit an answer takes at most
CONNECT_SECONDS = 3.05  # just above one TCP retransmission; less where less is left


class Why(StrEnum):
    """Why there is no answer."""

    UNREACHABLE = "not reached"
    TOO_SLOW = "not in time"
    BROKEN_OFF = "broken off"
    TOO_LARGE = "too large"
    UNEXPECTED = "unexpected"


class NoAnswer(Exception):
    """Nothing that can be read. `arrived`: the question may have come through, and what it asks may be done.

    It holds no address, since that may hold a key, and nothing of what came.
    """

    def __init__(self, why: Why, detail: str = "", *, arrived: bool) -> None:
        super().__init__(f"{why} ({detail})" if detail else str(why))
        self.why = why
        self.detail = detail
        self.arrived = arrived


@dataclass(frozen=True)
class Answer:
    """A whole answer, unpacked. A redirect is one: it is never followed."""

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
    **asked: Any,
) -> Answer:
    """Ask once. Names looked up, proxies, TLS, headers and body: all of it takes at most `seconds`. Raises NoAnswer.

    `trust_env`: go by the proxies of the environment, which see what is asked, and by a .netrc. `asked` is what
    `requests` takes: headers, json, auth.
    """
    if seconds <= 0:  # it was all spent before
        raise NoAnswer(Why.TOO_SLOW, arrived=False)
    question = _Question(method, url, seconds, bytes_max, trust_env, asked)
    threading.Thread(target=question.run, name="outside", daemon=True).start()
    if not question.done.wait(seconds):
        question.cut()
        raise NoAnswer(Why.TOO_SLOW, arrived=question.connected)
    if question.answer is None:  # raised here, outside of the error that led to it: that one holds the address
        raise question.failure or NoAnswer(Why.UNEXPECTED, arrived=True)
    return question.answer


class _Question:
    """What its thread and who waits for it share."""

    def __init__(
        self, method: str, url: str, seconds: float, bytes_max: int, trust_env: bool, asked: dict[str, Any]
    ) -> None:
        self._asked = {"method": method, "url": url, **asked}
        self._seconds, self._bytes_max, self._trust_env = seconds, bytes_max, trust_env
        self._lock = threading.Lock()
        self._lines: list[socket.socket] = []
        self._over = False
        self.done = threading.Event()
        self.answer: Answer | None = None
        self.failure: NoAnswer | None = None

    @property
    def connected(self) -> bool:
        """Whether somebody has picked up."""
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
        """Remember a connection, as it is once it is made; a handle of its own, which no TLS takes over."""
        with self._lock:
            if self._over:
                line.close()
                raise NoAnswer(Why.TOO_SLOW, arrived=False)
            self._lines.append(line.dup())

    def cut(self) -> None:
        """Nobody waits any more: whatever reads or writes comes to its end."""
        with self._lock:
            self._over = True
            for line in self._lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> Answer:
        with requests.Session() as http:
            http.trust_env = self._trust_env
            http.mount("http://", _Adapter())
            http.mount("https://", _Adapter())
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
                self.cut()  # or closing would read on
                raise NoAnswer(Why.TOO_LARGE, arrived=True)
        return bytes(body)

    def _failed(self, error: Exception) -> NoAnswer:
        """The error's own text holds the address: only its kind is told."""
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


class _Here(threading.local):
    question: _Question


_here = _Here()


class _Held(HTTPConnection):
    """A connection that whoever waits can cut."""

    def _new_conn(self) -> socket.socket:
        line = super()._new_conn()
        _here.question.hold(line)
        return line


class _HeldTLS(_Held, HTTPSConnection):
    """The same, over TLS."""


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
