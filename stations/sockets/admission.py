"""Admission: permissions for the producer's side, a limit of sockets per address, and one of messages per client."""

import time
from collections import Counter, deque
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

SOCKETS_PER_ADDRESS_MAX = 60  # a classroom behind one address; a socket costs some 50 kB
MESSAGES_MAX = 20  # from one client within MESSAGES_SECONDS; our page sends one per connection and chosen city
MESSAGES_PER_ADDRESS_MAX = 200  # of all sockets of one address: a classroom's, as an answer may take milliseconds
MESSAGES_SECONDS = 10
WHO_SECONDS = 30  # between two checks of a producer socket's user: it closes within a minute after a sign-out
WATCH = "stations.view_pollplan"  # see the producer's page and its polls
STEER = "stations.change_pollplan"
MODERATE = "stations.delete_remark"


def may_produce(user: Any, permission: str = WATCH) -> bool:
    """Return True for staff with the permission, or for all if the settings open the producer's side (a demo)."""
    if settings.STATIONS_PRODUCER_OPEN:
        return True
    return bool(user and user.is_active and user.is_staff and user.has_perm(permission))


def may_still_produce(session: SessionBase | None) -> bool:
    """Return `may_produce` for the session's current user, who may have signed out."""
    if session is None:
        return may_produce(None)
    visitor = HttpRequest()
    visitor.session = session.__class__(session.session_key)
    return may_produce(get_user(visitor))


class MessageRate:
    """The arrival times of the last messages of one client, or of one address."""

    def __init__(self, messages_max: int = MESSAGES_MAX) -> None:
        self._times: deque[float] = deque(maxlen=messages_max)

    def too_fast(self) -> bool:
        """Count a message. Return True if too many came within MESSAGES_SECONDS."""
        now = time.monotonic()
        full = len(self._times) == self._times.maxlen and now - self._times[0] < MESSAGES_SECONDS
        self._times.append(now)
        return full


class Admission:
    """A count of the open sockets of each address in this process, and of their messages."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._rates: dict[str, MessageRate] = {}

    def enter(self, address: str) -> bool:
        """Count one more socket until `leave` and return True, or return False if there is no room."""
        if self._open[address] >= SOCKETS_PER_ADDRESS_MAX:
            return False
        self._open[address] += 1
        self._rates.setdefault(address, MessageRate(MESSAGES_PER_ADDRESS_MAX))
        return True

    def too_fast(self, address: str) -> bool:
        """Count a message of a socket that has entered. Return True if this address has sent too many."""
        return self._rates[address].too_fast()

    def leave(self, address: str) -> None:
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address], self._rates[address]
