"""From committed outbox rows to the backend's log, in order. One is active by lease, the others stand by."""

import logging
import time
from collections.abc import Callable, Collection

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections

from eventbus import clock, failpoints, ids, registry
from eventbus.backends.base import Backend, Unsent
from eventbus.database import sql
from eventbus.database.leases import Lease
from eventbus.errors import LogTruncated, LogUnavailable, is_contention
from eventbus.events import EncodedEvent
from eventbus.models import Timer
from eventbus.publishing import outbox
from eventbus.recovery import divergence
from eventbus.recovery.topic_recovery import LossDetector

logger = logging.getLogger(__name__)

LEASE_NAME = "dispatcher"  # who holds it relays
# Between attempts while the world is away. Half of it is still longer than a standby's pause: one that can begin gets
# the lease before one that could not tries again.
BROKEN_SECONDS = 1.0

BATCH_ROWS = 500  # one query, one append, one update for so many
# A topic that did not take something is left out so long if others have something to send: finding that out again takes
# nearly the lease's time, in which nothing else is sent.
AWAY_SECONDS = 5.0
TIMERS_AT_ONCE = 100  # due timers moved in one transaction
# For a key that another's transaction has told of: longer than a worker's batch, which keeps its keys for a second
# (batch.BATCH_SECONDS), or delayed events would hardly get their turn where much is told; and less than the lease,
# for all that is committed waits as long.
TIMERS_LOCK_MS = 1_500
TIMERS_AGAIN_SECONDS = 2.0  # after it was not to be had: more of the time is the other events'
# In the order of commits within a key, without what waits behind a rejected event (`rejected_records.not_behind`).
_UNSENT = f"""
    SELECT {", ".join(Unsent._fields)} FROM eventbus_outbox AS event
    WHERE log_offset IS NULL AND rejected = '' AND NOT EXISTS (
        SELECT 1 FROM eventbus_outbox AS held WHERE held.rejected > '' AND held.withdrawn_at IS NULL
        AND held.topic = event.topic AND held.key = event.key AND held.id <= event.id
    )
    ORDER BY id LIMIT %b
"""
_DUE = "SELECT 1 FROM eventbus_timer WHERE due <= %b LIMIT 1"


class Relay:
    """One relay. `lease` must be held by the caller; without one (tests) nothing fences it.

    `alive` is called again and again, also while a long log is looked through.
    """

    def __init__(
        self, backend: Backend, lease: Lease | None = None, alive: Callable[[], object] = lambda: None
    ) -> None:
        self._backend = backend
        self._lease = lease
        self._alive = alive
        self._look = LossDetector(backend, self._fence)
        self._away: dict[str, float] = {}  # topics, and until when they are left out, by the monotonic clock
        self._timers_at = float("-inf")  # not tried before, by the monotonic clock

    def begin(self) -> None:
        """See whether the logs are those that our offsets are of, nobody else's, and hold no more of ours than we.

        Nothing is appended again where they do. Raises LogUnavailable, LeaseLost.
        """
        if others := self._backend.other_sites(registry.groups):
            raise LogUnavailable("; ".join(others))
        divergence.look(self._backend, self._fence)
        if not divergence.stands():
            self._look.begin()

    def step(self) -> int:
        """Publish due timers, append one batch; count what moved. Raises LeaseLost, LogUnavailable, DatabaseError."""
        if self._lease is not None:
            self._lease.refuse_earlier()
        if divergence.stands():
            return 0
        due = self._publish_due_unless_held_up()
        rows = self._unsent(_UNSENT)
        if self._looks({row.topic for row in rows}):
            return due + 1  # what was lost comes first: ask again
        if rows:
            failpoints.hit("append")
            try:
                self._backend.append(rows, self._fence)
            except LogTruncated as error:
                self._look.lost(error.places)
                raise
            except LogUnavailable as error:
                self._look.soon()
                self._leave_out(error.topics)
                raise
        return due + len(rows)

    def _looks(self, topics: set[str]) -> bool:
        """True if logs of these were lost. Raises LogUnavailable while that is unknown: appending might overtake."""
        try:
            if self._look.look(topics):
                return True
        except LogUnavailable:
            self._look.soon()  # while they were away, they may have been restored
            raise
        if held := self._look.held(topics):
            self._leave_out(held)
            raise LogUnavailable(
                f"whether the log of {', '.join(sorted(held))} has lost its end is to be seen first", held
            )
        return False

    def _leave_out(self, topics: Collection[str]) -> None:
        self._away |= dict.fromkeys(topics, time.monotonic() + AWAY_SECONDS)

    def _fence(self) -> None:
        self._alive()
        if self._lease is not None:
            self._lease.check()

    def _unsent(self, statement: str) -> list[Unsent]:
        """The next batch. A whole topic waits or none of it, so that each key's order stays."""
        connection, now = connections[DEFAULT_DB_ALIAS], time.monotonic()
        rows: sql.Rows = []
        if away := [topic for topic, until in self._away.items() if now < until]:
            there = f"AND NOT {sql.is_among(connection, 'event.topic', 'text')} ORDER BY"
            rows = sql.fetch(
                connection, statement.replace("ORDER BY", there), [sql.texts(connection, away), BATCH_ROWS]
            )
        return [Unsent(*row) for row in rows or sql.fetch(connection, statement, [BATCH_ROWS])]

    def _publish_due_unless_held_up(self) -> int:
        """Who has told of a key and stays open holds up that key's delayed events, and not what is committed."""
        if time.monotonic() < self._timers_at:
            return 0
        try:
            return self._publish_due()
        except OperationalError as error:
            if not is_contention(error):
                raise
            logger.warning("Delayed events wait for another transaction: %s", error)
            self._timers_at = time.monotonic() + TIMERS_AGAIN_SECONDS
            if self._lease is not None:
                self._lease.beat()  # that of the timers was undone, and what is appended now may take as long again
            return 0

    def _publish_due(self) -> int:
        """Only now does a delayed event take its place in the order."""
        connection = connections[DEFAULT_DB_ALIAS]
        if not sql.fetch(connection, _DUE, [sql.time_value(connection, clock.now())]):
            return 0
        with failpoints.atomic("timers"):
            self._fence()
            due = list(Timer.objects.filter(due__lte=clock.now()).order_by("due", "id")[:TIMERS_AT_ONCE])
            Timer.objects.filter(id__in=[timer.id for timer in due]).delete()
            failpoints.hit("timers.gone")
            if connection.vendor == "postgresql":
                sql.execute(connection, f"SET LOCAL lock_timeout = {TIMERS_LOCK_MS}", [])
            outbox.insert(connection, [_sealed(timer) for timer in due])
        logger.debug("Published %s delayed events", len(due))
        return len(due)


def _sealed(timer: Timer) -> EncodedEvent:
    return EncodedEvent(
        event_id=timer.event_id,
        identity=ids.text(timer.event_id),
        topic=timer.topic,
        type=timer.type,
        key=timer.key,
        payload=bytes(timer.payload),
        headers=timer.headers,
        created_at=clock.now(),
    )
