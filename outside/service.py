"""A service of somebody else: asked by few visitors at once, and left alone for a while when it fails.

A circuit breaker (`pybreaker`) of this process stands before each. Closed, all questions pass. After FAILURES_MAX
failures in a row it opens, and nobody is asked; after REST_SECONDS it is half-open, and one question decides.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pybreaker

from eventbus import ServiceUnavailable, clock

logger = logging.getLogger(__name__)

FAILURES_MAX = 5  # in a row: a lost packet or two is no outage, and five visitors have waited
REST_SECONDS = 10  # a service that restarts is found again soon; until then one question in so long waits in vain
# Visitors of one process who wait for the same service: half the threads of a process that serves pages, so that
# whoever wants no answer of it finds the others free.
VISITORS_MAX = 2
ROOM_SECONDS = 0.25  # a further one waits so long for room: a double click is no crowd
SILENCE_SECONDS = 0.6  # twice what a service that is well needs: who waits longer waits for one that does not answer

Excluded = tuple[type[Exception] | Callable[[Any], bool], ...]


class Resting(ServiceUnavailable):
    """It has failed several times in a row, so it is not asked for a while."""


class Crowded(ServiceUnavailable):
    """As many visitors as may wait for it already, and it answers them."""


class Silent(ServiceUnavailable):
    """As many visitors as may wait for it already, and it has left them without an answer for too long."""


class Service:
    """Any thread may ask. `excluded` are errors that are no failures of the service: their types, or what tells."""

    def __init__(self, name: str, *, excluded: Excluded = ()) -> None:
        self.name = name
        self._silence = _Silence()
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=FAILURES_MAX,
            reset_timeout=REST_SECONDS,
            exclude=list(excluded),
            listeners=[_Teller(), self._silence],
            state_storage=_Storage(pybreaker.STATE_CLOSED),
            name=name,
            throw_new_error_on_trip=False,
        )
        self._room = threading.BoundedSemaphore(VISITORS_MAX)
        self._probing = threading.Lock()

    @property
    def state(self) -> str:
        """closed, open or half-open."""
        return str(self._breaker.current_state)

    @contextmanager
    def asked(self, *, by_visitor: bool = False, seconds: float = ROOM_SECONDS) -> Iterator[None]:
        """Around a question and the reading of its answer. What is raised inside is a failure, unless excluded.

        A visitor waits for room no longer than `seconds`, nor than ROOM_SECONDS. Raises Resting, Crowded and Silent,
        and then nothing was asked.
        """
        if by_visitor and not self._room.acquire(timeout=min(seconds, ROOM_SECONDS)):
            if self._silence.seconds > SILENCE_SECONDS:
                raise Silent(f"the {self.name} has left as many as may wait for it without an answer")
            raise Crowded(f"the {self.name} is asked by as many as may wait for it")
        try:
            yield from self._let_through()
        finally:
            if by_visitor:
                self._room.release()

    def _let_through(self) -> Iterator[None]:
        """One at a time while it is not known to be well."""
        probes = self.state != pybreaker.STATE_CLOSED
        if probes and not self._probing.acquire(blocking=False):
            raise Resting(f"the {self.name} is just being tried")
        try:
            yield from self._by_breaker()
        finally:
            if probes:
                self._probing.release()

    def _by_breaker(self) -> Iterator[None]:
        # As a context manager it holds no lock while we wait; as a call it would let one wait for the other.
        asking = self._breaker.calling()
        try:
            asking.__enter__()
        except pybreaker.CircuitBreakerError:
            raise Resting(f"the {self.name} did not answer {FAILURES_MAX} times in a row") from None
        try:
            yield
        except BaseException as error:
            asking.__exit__(type(error), error, error.__traceback__)
            raise
        asking.__exit__(None, None, None)


class _Storage(pybreaker.CircuitMemoryStorage):
    """When it opened is kept by the bus's clock: no leap of the wall clock closes it for ever, and tests can wait."""

    _opened: float | None = None

    @property
    def opened_at(self) -> datetime | None:
        if self._opened is None:
            return None
        return datetime.now(UTC) - timedelta(seconds=clock.monotonic() - self._opened)

    @opened_at.setter
    def opened_at(self, at: datetime | None) -> None:
        self._opened = None if at is None else clock.monotonic()


class _Teller(pybreaker.CircuitBreakerListener):
    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        if new_state.name == pybreaker.STATE_OPEN:
            logger.warning("The %s does not answer: it is left alone for %s s", cb.name, REST_SECONDS)
        elif new_state.name == pybreaker.STATE_CLOSED:
            logger.warning("The %s answers again", cb.name)


class _Silence(pybreaker.CircuitBreakerListener):
    """Since when questions are asked of it and none is answered, by the bus's clock; a refusal is an answer."""

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
    """The one service of that name at that address, in this process."""
    with _lock:
        if (name, at) not in _services:
            _services[name, at] = Service(name, excluded=excluded)
        return _services[name, at]


def states() -> dict[str, str]:
    """How this process finds each service that it has asked: closed (well), open or half-open."""
    with _lock:
        return {found.name: found.state for found in _services.values()}


def forget() -> None:
    """Know nothing of any service. For tests."""
    with _lock:
        _services.clear()
