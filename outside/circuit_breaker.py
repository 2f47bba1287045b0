"""An external service: few visitors may wait for it at once, and after failures it is not called for a while.

Each service has a circuit breaker (`pybreaker`) in this process. A closed breaker lets all calls through. After
FAILURES_MAX failures in a row it opens and lets none through. After REST_SECONDS it is half-open: one call is let
through, and its result closes or opens the breaker.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pybreaker

from eventbus import ServiceUnavailable, clock
from eventbus.measuring.series import Gauge

logger = logging.getLogger(__name__)

FAILURES_MAX = 5  # failures in a row: one or two lost packets are no outage, and five visitors have waited by then
REST_SECONDS = 10  # short, to notice a restarted service soon; until then one call per period fails
# Visitors of one process that may wait for one service: half of the threads that serve pages. The other half stays free
# for requests that do not need the service.
VISITORS_MAX = 2
ROOM_SECONDS = 0.25  # a further visitor waits this long for a free place, so that a double click is not refused
SILENCE_SECONDS = 0.6  # twice what a healthy service needs; after more, the service counts as silent

OPEN = Gauge(
    "outside_breaker_open",
    "Processes that leave a service alone because it does not answer them.",
    "service",
    limit=20,
)

Excluded = tuple[type[Exception] | Callable[[Any], bool], ...]


class CircuitOpen(ServiceUnavailable):
    """The service failed several times in a row, so it is not called for a while."""


class TooManyWaiting(ServiceUnavailable):
    """The service answers, but as many visitors as allowed already wait for it."""


class NotAnswering(ServiceUnavailable):
    """As many visitors as allowed already wait for the service, which has not answered for too long."""


class NotOpen(Exception):
    """The circuit breaker is closed, or this process has not called such a service."""


class Service:
    """A thread-safe service. `excluded` holds errors that are no failures of it: types, or predicates of an error."""

    def __init__(self, name: str, *, excluded: Excluded = ()) -> None:
        self.name = name
        self._unanswered = _UnansweredTime()
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=FAILURES_MAX,
            reset_timeout=REST_SECONDS,
            exclude=list(excluded),
            listeners=[_StateLogger(), self._unanswered],
            state_storage=_Storage(pybreaker.STATE_CLOSED),
            name=name,
            throw_new_error_on_trip=False,
        )
        self._room = threading.BoundedSemaphore(VISITORS_MAX)
        self._probing = threading.Lock()

    @property
    def state(self) -> str:
        """The breaker's state: closed, open or half-open."""
        return str(self._breaker.current_state)

    def close(self) -> None:
        """Close the breaker by hand: calls go through again, and new failures are counted from zero."""
        self._breaker.close()

    @contextmanager
    def asked(self, *, by_visitor: bool = False, seconds: float = ROOM_SECONDS) -> Iterator[None]:
        """Guard a call and the reading of its answer. An error raised inside is a failure, unless excluded.

        `by_visitor`: a page waits for the call, so at most VISITORS_MAX such calls run at once. A further one waits for
        the shorter of `seconds` and ROOM_SECONDS. Raises CircuitOpen, TooManyWaiting
        and NotAnswering, always before the call.
        """
        if by_visitor and not self._room.acquire(timeout=min(seconds, ROOM_SECONDS)):
            if self._unanswered.seconds > SILENCE_SECONDS:
                raise NotAnswering(f"the {self.name} has left as many as may wait for it without an answer")
            raise TooManyWaiting(f"the {self.name} is asked by as many as may wait for it")
        try:
            yield from self._let_through()
        finally:
            if by_visitor:
                self._room.release()

    def _let_through(self) -> Iterator[None]:
        """Let only one call through at a time unless the breaker is closed."""
        probes = self.state != pybreaker.STATE_CLOSED
        if probes and not self._probing.acquire(blocking=False):
            raise CircuitOpen(f"the {self.name} is just being tried")
        try:
            yield from self._by_breaker()
        finally:
            if probes:
                self._probing.release()

    def _by_breaker(self) -> Iterator[None]:
        # The breaker's context manager holds no lock during the call. Its `call` would make callers wait in turn.
        asking = self._breaker.calling()
        try:
            asking.__enter__()
        except pybreaker.CircuitBreakerError:
            raise CircuitOpen(f"the {self.name} did not answer {FAILURES_MAX} times in a row") from None
        try:
            yield
        except BaseException as error:
            asking.__exit__(type(error), error, error.__traceback__)
            raise
        asking.__exit__(None, None, None)


class _Storage(pybreaker.CircuitMemoryStorage):
    """A storage of the time when the breaker opened, by the bus's clock.

    Changes of the wall clock cannot hold the breaker open, and tests can move the clock.
    """

    _opened: float | None = None

    @property
    def opened_at(self) -> datetime | None:
        if self._opened is None:
            return None
        return datetime.now(UTC) - timedelta(seconds=clock.monotonic() - self._opened)

    @opened_at.setter
    def opened_at(self, at: datetime | None) -> None:
        self._opened = None if at is None else clock.monotonic()


class _StateLogger(pybreaker.CircuitBreakerListener):
    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        was_closed = old_state is None or old_state.name == pybreaker.STATE_CLOSED
        if was_closed != (new_state.name == pybreaker.STATE_CLOSED):
            OPEN.add(str(cb.name), count=1 if was_closed else -1)
        if new_state.name == pybreaker.STATE_OPEN:
            logger.warning("The %s does not answer: it is left alone for %s s", cb.name, REST_SECONDS)
        elif new_state.name == pybreaker.STATE_CLOSED:
            logger.warning("The %s answers again", cb.name)


class _UnansweredTime(pybreaker.CircuitBreakerListener):
    """The time since the first unanswered call, by the bus's clock. A refusal counts as an answer."""

    _since: float | None = None

    @property
    def seconds(self) -> float:
        since = self._since
        return 0.0 if since is None else clock.monotonic() - since

    def before_call(self, *_given: Any, **_named: Any) -> None:
        if self._since is None:
            self._since = clock.monotonic()

    def success(self, cb: pybreaker.CircuitBreaker) -> None:
        self._since = None


_lock = threading.Lock()
_services: dict[tuple[str, str], Service] = {}


def service(name: str, *, at: str, excluded: Excluded = ()) -> Service:
    """Return this process's only service of that name at that address."""
    with _lock:
        if (name, at) not in _services:
            _services[name, at] = Service(name, excluded=excluded)
        return _services[name, at]


def states() -> dict[str, str]:
    """Return the breaker's state of each service this process has called: closed (healthy), open or half-open."""
    with _lock:
        return {found.name: found.state for found in _services.values()}


def close(name: str) -> None:
    """Close the open breakers of the services of that name in this process. Raises NotOpen."""
    with _lock:
        found = [one for one in _services.values() if one.name == name and one.state != pybreaker.STATE_CLOSED]
    if not found:
        raise NotOpen(f"The circuit breaker of {name!r} is closed in this process.")
    for one in found:
        one.close()


def forget() -> None:
    """Forget all services. For tests."""
    with _lock:
        _services.clear()
