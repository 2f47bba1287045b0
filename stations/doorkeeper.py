"""Who may see and steer the producer's side, how many sockets an address may hold, and how fast a client may talk."""

import time
from collections import Counter, deque
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

SOCKETS_PER_ADDRESS_MAX = 60  # a classroom behind one address; a socket costs some 50 kB
MESSAGES_MAX = 20  # from one client within MESSAGES_SECONDS; ours sends one for each connection and each chosen city
MESSAGES_SECONDS = 10
WHO_SECONDS = 30  # between looks at who a producer's socket is for: whoever signed out hears no more within a minute
WATCH = "stations.view_pollplan"  # see the producer's page, and how polls go
STEER = "stations.change_pollplan"
REMARK = "stations.add_remark"


def may_produce(user: Any, permission: str = WATCH) -> bool:
    """Staff with the permission, unless the site's settings open the producer's side to all: a demonstration."""
    if settings.STATIONS_PRODUCER_OPEN:
        return True
    return bool(user and user.is_active and user.is_staff and user.has_perm(permission))


def may_still_produce(session: SessionBase | None) -> bool:
    """The same for whoever the session is now, which may be nobody any more."""
    if session is None:
        return may_produce(None)
    visitor = HttpRequest()
    visitor.session = session.__class__(session.session_key)
    return may_produce(get_user(visitor))


class Doorkeeper:
    """Counts the open sockets of each address in this process."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Whether there is room for one more; if so it is counted until `leave`."""
        if self._open[address] >= SOCKETS_PER_ADDRESS_MAX:
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]


class Pace:
    """Remembers when the last messages of one client came."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MESSAGES_MAX)

    def too_fast(self) -> bool:
        """Count a message; True when it is one too many."""
        now = time.monotonic()
        full = len(self._times) == MESSAGES_MAX and now - self._times[0] < MESSAGES_SECONDS
        self._times.append(now)
        return full
