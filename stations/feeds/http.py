"""Asking a feed over HTTP: within a time and a size, again where that helps, and without ever telling the key."""

import codecs
import ipaddress
import logging
import random
import re
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

import requests
import urllib3

from eventbus import clock
from stations.feeds.base import PollFailed
from stations.feeds.failures import Failure

CONNECT_SECONDS = 3.05  # just above one TCP retransmission
READ_SECONDS = 8.0  # between two pieces of an answer; the real feed takes below 1 s
BUDGET_SECONDS = 15.0  # one poll with its retries and waits: far below the feed's own minute, so polls never overlap
ATTEMPTS_MAX = 3  # a poll that failed three times in a row is better tried at the next interval
BACKOFF_SECONDS = 0.5  # doubled for each attempt, then a random part of it: many clients must not return together
ANSWER_BYTES_MAX = 16 * 2**20  # all stations of the world are 2 MB
CHUNK_BYTES = 64 * 2**10  # read at once
RETRY_AFTER_SECONDS_MAX = 3_600.0  # an hour: a feed with a wrong clock must not silence us for a year

USER_AGENT = "mcommerce-stations (+https://developer.jcdecaux.com)"


class _KeyCover(logging.Filter):
    """urllib3 logs each request with its query: cover what is said for `apiKey` before any handler sees it."""

    KEY = re.compile(r"(apikey=)[^&\s\"')]*", re.IGNORECASE)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self._covered(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(self._covered(arg) for arg in record.args)
        return True

    def _covered(self, said: object) -> object:
        # Errors and URLs among the arguments carry the query too: they are turned into text only when they do.
        text = str(said)
        return self.KEY.sub(r"\1***", text) if self.KEY.search(text) else said


_COVER = _KeyCover()
for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "urllib3.response"):
    # A filter on a parent logger is not asked for what its children log, so each speaker gets it.
    logging.getLogger(_name).addFilter(_COVER)


class _KeyInQuery(requests.auth.AuthBase):
    """Adds the key to the URL at the last moment, so that no variable, parameter or trace of ours holds both."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Without a key this still stands in the way of a netrc entry for the host.
        if self._key:
            request.prepare_url(request.url, {"apiKey": self._key})
        return request


class HttpClient:
    """GETs below one base URL. Every way to fail is PollFailed, raised outside of the error that led to it:
    a chained exception of requests would carry the URL, and so the key.

    One thread at a time. `sleep` is given by who must be able to stop waiting.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str = "",
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        budget_seconds: float = BUDGET_SECONDS,
        backoff_seconds: float = BACKOFF_SECONDS,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._auth = _KeyInQuery(key)
        self._timeout = (connect_seconds, read_seconds)
        self._budget_seconds = budget_seconds
        self._backoff_seconds = backoff_seconds
        self._sleep = sleep
        self._refusal = _refusal(self._base_url, has_key=bool(key))
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.headers["Accept"] = "application/json"
        # A proxy of the environment must not be asked for a server on this very machine.
        self._session.trust_env = not is_loopback(self._base_url)

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, **query: str) -> bytes:
        """The body of a 200. Raises PollFailed."""
        if self._refusal:
            raise PollFailed(self._refusal)
        deadline = time.monotonic() + self._budget_seconds
        for attempt in range(1, ATTEMPTS_MAX + 1):
            answer = self._ask(f"{self._base_url}/{path}", query, deadline)
            if isinstance(answer, bytes):
                return answer.removeprefix(codecs.BOM_UTF8)
            failure, again = answer
            wait = random.uniform(0.5, 1) * self._backoff_seconds * 2**attempt
            if not again or attempt == ATTEMPTS_MAX or time.monotonic() + wait >= deadline:
                break
            self._sleep(wait)
        raise failure

    def _ask(self, url: str, query: dict[str, str], deadline: float) -> bytes | tuple[PollFailed, bool]:
        """One request: its body, or why it failed and whether asking again may help."""
        if query:
            url = f"{url}?{urlencode(query)}"
        try:
            with self._session.get(
                url, auth=self._auth, timeout=self._timeout, stream=True, allow_redirects=False
            ) as answer:
                if answer.status_code == HTTPStatus.OK:
                    return _body(answer, deadline)
                return _failure_of_status(answer.status_code, answer.headers.get("Retry-After", ""))
        except PollFailed as failed:
            return failed, False
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            # A connection that is not made in time may be the next moment; an answer that takes too long will again.
            return _failed(Failure.TOO_SLOW, error), isinstance(error, requests.ConnectTimeout)
        except (requests.ConnectionError, ConnectionError) as error:
            return _failed(Failure.UNREACHABLE, error), True
        except urllib3.exceptions.HTTPError as error:
            return _failed(Failure.BROKEN_OFF, error), True
        except Exception as error:  # whatever it is, it may hold the URL and so the key: it must not go further
            return _failed(Failure.UNEXPECTED, error), False


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine: such a feed needs neither a key nor encryption."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refusal(base_url: str, *, has_key: bool) -> Failure | None:
    """Why this address is never asked, if so."""
    try:
        parts = urlsplit(base_url)
        _ = parts.port  # raises for one that is not a number
    except ValueError:
        return Failure.NO_ADDRESS
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        return Failure.NO_ADDRESS
    if is_loopback(base_url):
        return None
    if not has_key:
        return Failure.KEY_NEEDED
    return None if parts.scheme == "https" else Failure.NOT_ENCRYPTED


def _body(answer: requests.Response, deadline: float) -> bytes:
    """The whole body, unpacked, read piece by piece: neither a drip nor a flood may hold us."""
    body = bytearray()
    while piece := answer.raw.read1(CHUNK_BYTES, decode_content=True):
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise PollFailed(Failure.TOO_LARGE)
        if time.monotonic() > deadline:
            raise PollFailed(Failure.TOO_SLOW, "the answer came in too slowly")
    return bytes(body)


def _failure_of_status(status: int, retry_after: str) -> tuple[PollFailed, bool]:
    failure = {
        HTTPStatus.UNAUTHORIZED: Failure.KEY_REFUSED,
        HTTPStatus.FORBIDDEN: Failure.KEY_REFUSED,
        HTTPStatus.NOT_FOUND: Failure.NOT_FOUND,
        HTTPStatus.TOO_MANY_REQUESTS: Failure.TOO_MANY,
    }.get(status)  # type: ignore[call-overload]
    if failure is None:
        failure = {3: Failure.REDIRECTED, 5: Failure.THEIR_ERROR}.get(status // 100, Failure.UNEXPECTED)
    may_pass = failure in (Failure.TOO_MANY, Failure.THEIR_ERROR)
    wait = retry_after_seconds(retry_after) if may_pass else None
    if wait is None:
        return PollFailed(failure, f"HTTP {status}"), may_pass
    told = f"HTTP {status}, Retry-After: {wait:.0f} s"
    return PollFailed(failure, told, retry_after_seconds=wait), False  # asking again now is what it asked us not to do


def retry_after_seconds(header: str) -> float | None:
    """The wait that a `Retry-After` asks for, at most RETRY_AFTER_SECONDS_MAX; None when it asks for none.

    RFC 9110 has two forms of it: whole seconds, and an HTTP date.
    """
    header = header.strip()
    if header.isascii() and header.isdigit():
        return min(float(header), RETRY_AFTER_SECONDS_MAX)
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max((when - clock.now()).total_seconds(), 0.0), RETRY_AFTER_SECONDS_MAX)


def _failed(failure: Failure, error: Exception) -> PollFailed:
    # The error's own text holds the URL: only its kind is told.
    return PollFailed(failure, type(error).__name__)
