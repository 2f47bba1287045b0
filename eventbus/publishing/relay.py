"""Append committed outbox rows to the backend's log, in order. One relay is active by lease, the others stand by."""

import logging
import time
from collections.abc import Callable, Collection

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections

from eventbus import clock, failpoints, ids, registry
from eventbus.backends.base import Backend, Unsent
from eventbus.database import sql
from eventbus.database.leases import Lease
from eventbus.envelope_texts import republished, traceparent_of
from eventbus.errors import LogTruncated, LogUnavailable, is_contention
from eventbus.events import EncodedEvent
from eventbus.measuring import bus_metrics
from eventbus.models import Timer
from eventbus.publishing import outbox
from eventbus.recovery import divergence
from eventbus.recovery.topic_recovery import LossDetector
from eventbus.tracing import switch

logger = logging.getLogger(__name__)

# The pause between attempts during an infrastructure error. Half of it is still longer than a standby's pause. So a
# process that can begin gets the lease before the one that could not tries again.
BROKEN_SECONDS = 1.0

BATCH_ROWS = 500  # rows in one query, one append and one update
# A topic whose records the log did not take is left out for this time if other topics have events to send. Another
# attempt takes nearly the lease's time, in which nothing else is sent.
AWAY_SECONDS = 5.0
TIMERS_AT_ONCE = 100  # due timers moved in one transaction
# The wait for the lock of a key for which another transaction has published. It is longer than a worker's batch, which
# locks its keys for a second (batch.BATCH_SECONDS): else timers would rarely be published on a busy site. It is shorter
# than the lease, since all committed events wait as long.
TIMERS_LOCK_MS = 1_500
TIMERS_AGAIN_SECONDS = 2.0  # pause after such a wait failed: the other events get more of the time
# In commit order within a key, without events behind a rejected one (`rejected_records.not_behind`).
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
    """The relay of one process. The caller must hold `lease`; without one (in tests) nothing stops a second relay.

    `alive` is called again and again as a sign of life, even during the search of a long log.
    """

    def __init__(
        self, backend: Backend, lease: Lease | None = None, alive: Callable[[], object] = lambda: None
    ) -> None:
        self._backend = backend
        self._lease = lease
        self._alive = alive
        self._look = LossDetector(backend, self._fence)
        self._away: dict[str, float] = {}  # topics, and until when they are left out, by the monotonic clock
        self._timers_at = float("-inf")  # timers are not tried before, by the monotonic clock

    def begin(self) -> None:
        """Check the logs before the first append: for other sites, for a restored database, and for losses.

        Raises LogUnavailable if another site reads with this site's groups. If the database was restored, a divergence
        is recorded, and nothing is appended. The outbox rows of a lost log become unsent. Raises LeaseLost.
        """
        if others := self._backend.other_sites(registry.groups):
            raise LogUnavailable("; ".join(others))
        divergence.look(self._backend, self._fence)
        if not divergence.stands():
            self._look.begin()

    def step(self) -> int:
        """Publish due timers and append one batch. Return how many events moved.

        If a log was lost, only the timers are published, and the number is at least 1, so that the caller calls again
        at once. Raises LeaseLost, LogUnavailable, DatabaseError.
        """
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
            begun = time.time_ns()
            try:
                self._backend.append(rows, self._fence)
            except LogTruncated as error:
                self._look.lost(error.offsets)
                raise
            except LogUnavailable as error:
                self._look.soon()
                self._leave_out(error.topics)
                raise
            bus_metrics.appended([row.topic for row in rows])
            if switch.active is not None:
                switch.active.appended([(row.topic, traceparent_of(row.headers)) for row in rows], begun)
        return due + len(rows)

    def _looks(self, topics: set[str]) -> bool:
        """Return True if a log was lost, and its outbox rows are unsent again.

        Raises LogUnavailable while this is not known for one of these topics: appended events might overtake lost ones.
        """
        try:
            if self._look.look(topics):
                return True
        except LogUnavailable:
            self._look.soon()  # unavailable brokers may have been restored meanwhile
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
        """Return the next batch of unsent rows. A topic is left out as a whole, so that each key's order stays."""
        connection, now = connections[DEFAULT_DB_ALIAS], time.monotonic()
        rows: sql.Rows = []
        if away := [topic for topic, until in self._away.items() if now < until]:
            there = f"AND NOT {sql.is_among(connection, 'event.topic', 'text')} ORDER BY"
            rows = sql.fetch(
                connection, statement.replace("ORDER BY", there), [sql.texts(connection, away), BATCH_ROWS]
            )
        return [Unsent(*row) for row in rows or sql.fetch(connection, statement, [BATCH_ROWS])]

    def _publish_due_unless_held_up(self) -> int:
        """Publish due timers.

        If another transaction holds the lock of a key, give up for now: committed events must not wait.
        """
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
                self._lease.beat()  # the timers' beat was rolled back, and the append may take as long again
            return 0

    def _publish_due(self) -> int:
        """Move due timers to the outbox, and return how many.

        Only now does each get its turn in the order of its key.
        """
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
        headers=republished(timer.headers),
        created_at=clock.now(),
    )
