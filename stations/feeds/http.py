"""An HTTP client for feeds: it limits time and size, retries where that helps, and never reveals the key."""

import codecs
import ipaddress
import logging
import random
import re
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from django.conf import settings

from outside.circuit_breaker import CircuitOpen, service
from outside.http import LOGGERS, Answer, NoAnswer, Why, ask
from stations.feeds.feed_errors import Failure, failure_of_status
from stations.feeds.feed_interface import PollFailed

READ_SECONDS = 8.0  # one whole answer; the real feed takes below 1 s
BUDGET_SECONDS = 15.0  # one poll with its retries and waits: far below the feed's own minute, so polls never overlap
ATTEMPTS_MAX = 3  # after three failures in a row, the next poll is a better time to try
BACKOFF_SECONDS = 0.5  # doubled for each attempt, then a random part of it: many clients must not retry together
ANSWER_BYTES_MAX = 2**20  # unpacked; the largest contract, of 448 stations, is a third of it

REDIRECTS_MAX = 3  # of one request: more is a circle
REDIRECTS = (301, 302, 303, 307, 308)
KEPT_MAX = 8  # bodies of one feed, each of a few megabytes at most: it has five documents

USER_AGENT = "mcommerce-stations (+https://developer.jcdecaux.com)"


class _KeyCover(logging.Filter):
    """A filter that masks keys and tokens before any log handler sees them: urllib3 logs each query."""

    KEY = re.compile(
        r"([\w%.-]{0,40}(?:key|token|secret|passw|pwd|auth|sig|credential)[\w%.-]{0,40}=)[^&\s\"')]*", re.IGNORECASE
    )

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self._covered(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(self._covered(arg) for arg in record.args)
        return True

    def _covered(self, said: object) -> object:
        # Errors and URLs among the arguments may hold the key too: only those are turned into text.
        text = str(said)
        return self.KEY.sub(r"\1***", text) if self.KEY.search(text) else said


_COVER = _KeyCover()
for _logger in LOGGERS:
    _logger.addFilter(_COVER)


class _KeyInQuery(requests.auth.AuthBase):
    """An auth hook that adds the key to the URL last, so that no variable or trace of our code holds both."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Even without a key this hook prevents the use of a netrc entry for the host.
        if self._key:
            request.prepare_url(request.url, {"apiKey": self._key})
        return request


Through = Callable[[Callable[[], Answer], str], Answer]  # gives the answer to a request; the URL holds no key


class HttpClient:
    """A client for GETs below one base URL, for one thread at a time. `sleep` waits before a retry, and may end early.

    Every failure is a PollFailed, raised without the error that caused it. A chained exception of `requests` would
    contain the URL, and so the key.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str,
        key: str = "",
        bytes_max: int = ANSWER_BYTES_MAX,
        read_seconds: float = READ_SECONDS,
        budget_seconds: float = BUDGET_SECONDS,
        backoff_seconds: float = BACKOFF_SECONDS,
        sleep: Callable[[float], object] = time.sleep,
        is_open: bool = False,
        through: Through | None = None,
    ) -> None:
        """Make a client. `is_open`: anybody may ask, and addresses come from others, so each is checked.

        `through` is called instead of each request, with the request and its URL. It may send the request.
        """
        self._base_url = base_url.rstrip("/")
        self._auth = _KeyInQuery(key)
        self._bytes_max = bytes_max
        self._read_seconds = read_seconds
        self._budget_seconds = budget_seconds
        self._backoff_seconds = backoff_seconds
        self._sleep = sleep
        self._is_open = is_open
        self._through = through
        self._refusal = _refusal(self._base_url, has_key=bool(key), is_open=is_open)
        self._kept: dict[str, _Kept] = {}
        self._service = service(f"feed {name}", at=self._base_url)

    def get(self, path: str, **query: str) -> bytes:
        """Return the body of an answer with status 200. Raises PollFailed for every other outcome."""
        url = f"{self._base_url}/{path}"
        return self.get_url(f"{url}?{urlencode(query)}" if query else url, self.deadline())

    def deadline(self) -> float:
        """Return the end of one poll's budget, in `time.monotonic` seconds."""
        return time.monotonic() + self._budget_seconds

    def get_url(self, url: str, deadline: float) -> bytes:
        """Return the body of an answer with status 200, or the kept body if the answer says that it has not changed.

        Raises PollFailed for every other outcome.
        """
        refusal = self._refusal or (_refusal(url, has_key=True, is_open=True) if self._is_open else None)
        if refusal:
            raise PollFailed(refusal)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            answer = self._ask(url, deadline)
            if isinstance(answer, bytes):
                return answer.removeprefix(codecs.BOM_UTF8)
            if attempt == 1 or answer[0].reason != Failure.RESTING:  # else the earlier failure says more
                failure = answer[0]
            again = answer[1]
            wait = random.uniform(0.5, 1) * self._backoff_seconds * 2**attempt
            if not again or attempt == ATTEMPTS_MAX or time.monotonic() + wait >= deadline:
                break
            self._sleep(wait)
        raise failure

    def _ask(self, url: str, deadline: float) -> bytes | tuple[PollFailed, bool]:
        """Send one request. Return its body, or its failure and True if a retry may help."""
        try:
            with self._service.asked():
                return self._heard(url, deadline)
        except CircuitOpen:
            return PollFailed(Failure.RESTING), False
        except _Failing as failing:
            return failing.failed, failing.again

    def _heard(self, url: str, deadline: float) -> bytes | tuple[PollFailed, bool]:
        """Return the body, or a failure that the circuit breaker ignores. Raises _Failing for one that it counts."""
        kept = None if self._through else self._kept.get(url)  # a recording needs each answer whole
        answer = self._answer(url, deadline, kept.conditions if kept else {})
        if kept and answer.status == HTTPStatus.NOT_MODIFIED:
            return kept.body
        if answer.status == HTTPStatus.OK:
            self._keep(url, answer)
            return answer.body
        failed, again = failure_of_status(answer.status, answer.headers.get("Retry-After", ""))
        if failed.reason == Failure.THEIR_ERROR:
            raise _Failing(failed, again=again)
        return failed, again

    def _answer(self, url: str, deadline: float, conditions: dict[str, str]) -> Answer:
        """Ask this address, and of an open feed also those that it redirects to. Each is checked anew."""
        for _ in range(REDIRECTS_MAX + 1):
            request = partial(self._send, url, deadline, conditions)
            try:
                answer = self._through(request, url) if self._through else request()
            except NoAnswer as none:
                raise _Failing(PollFailed(_FAILURES[none.why], none.detail), again=_may_pass(none)) from None
            location = answer.headers.get("Location", "")
            if not (self._is_open and answer.status in REDIRECTS and location):
                return answer
            url = joined(url, location)
            if refusal := _refusal(url, has_key=True, is_open=True):
                raise PollFailed(refusal)
        return answer

    def _send(self, url: str, deadline: float, conditions: dict[str, str]) -> Answer:
        return ask(
            "GET",
            url,
            seconds=max(0.0, min(self._read_seconds, deadline - time.monotonic())),
            bytes_max=self._bytes_max,
            # A request to this very machine must not go through a proxy of the environment.
            trust_env=not is_loopback(url),
            public_only=self._is_open and not settings.STATIONS_PRIVATE_FEEDS,
            auth=self._auth,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", **conditions},
        )

    def _keep(self, url: str, answer: Answer) -> None:
        """Keep the body of an open feed's answer that names its version, so that the next one may be "unchanged"."""
        names = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
        conditions = {asked: answer.headers[told] for asked, told in names.items() if answer.headers.get(told)}
        self._kept.pop(url, None)
        if self._is_open and conditions and len(self._kept) < KEPT_MAX:
            self._kept[url] = _Kept(answer.body, conditions)


class _Kept(NamedTuple):
    """An answer's body, and the headers that ask whether it is still the same."""

    body: bytes
    conditions: dict[str, str]


class _Failing(Exception):
    """A failure that counts for the feed's circuit breaker. `again`: a retry may help."""

    def __init__(self, failed: PollFailed, *, again: bool) -> None:
        super().__init__(failed)
        self.failed = failed
        self.again = again


_FAILURES = {
    Why.UNREACHABLE: Failure.UNREACHABLE,
    Why.TOO_SLOW: Failure.TOO_SLOW,
    Why.BROKEN_OFF: Failure.BROKEN_OFF,
    Why.TOO_LARGE: Failure.TOO_LARGE,
    Why.UNEXPECTED: Failure.UNEXPECTED,
    Why.PRIVATE: Failure.PRIVATE,
}


def _may_pass(none: NoAnswer) -> bool:
    """Return True if a retry may help. A lost connection may recover; a slow or too large answer repeats."""
    return none.why in (Why.UNREACHABLE, Why.BROKEN_OFF)


def is_loopback(url: str) -> bool:
    """Return True if the URL's host is this machine: such a feed needs neither a key nor encryption."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def joined(base: str, url: str) -> str:
    """Return the absolute address of what a document or a redirect names. Raises PollFailed if it is no address."""
    try:
        return urljoin(base, url)
    except ValueError:
        raise PollFailed(Failure.NO_ADDRESS) from None


def _refusal(base_url: str, *, has_key: bool, is_open: bool) -> Failure | None:
    """Return the reason why this address is never called, or None."""
    try:
        parts = urlsplit(base_url)
        _ = parts.port  # raises for a port that is not a number
    except ValueError:
        return Failure.NO_ADDRESS
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        return Failure.NO_ADDRESS
    if is_open:
        return None
    if parts.query:
        return Failure.NO_ADDRESS
    if is_loopback(base_url):
        return None
    if not has_key:
        return Failure.KEY_NEEDED
    return None if parts.scheme == "https" else Failure.NOT_ENCRYPTED
