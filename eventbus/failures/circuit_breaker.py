"""The circuit breaker of a consumer group. It stops a group that fails most events, until a probe succeeds.

The column `ConsumerGroup.breaker_opened_at` says since when it is open. Workers read it each time they lock the group's
progress. Each worker keeps the results of the last attempts in memory, so handling an event costs no further write. A
restarted worker begins without results. So the circuit breaker may open up to WINDOW_ATTEMPTS attempts later.
"""

import logging
import random
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from eventbus import clock, failpoints
from eventbus.database.contention import ContentionRetry
from eventbus.database.storable_text import printable
from eventbus.errors import RetryLater
from eventbus.events import Record
from eventbus.failures import parking
from eventbus.models import ConsumerGroup

logger = logging.getLogger(__name__)

# The number of the last first attempts that decide. A bad deploy opens it after some 26 failures. A few unlucky events
# are no majority.
WINDOW_ATTEMPTS = 50
KEYS_MIN = 10  # different keys among the failures: broken data of a few customers must not stop all the others
# The first and the longest pause between probes. Short disturbances end in seconds. Even after hours, the next probe
# comes within the longest pause, so that an open overview soon stops naming a repaired fault (see docs/operations.md).
# A service that is down is called at most some 16 times a minute by each worker process.
PROBE_SECONDS = (1.0, 5.0)
LAST_ERROR = "The last: "  # in a reason, before the class and the text of an error
ERROR_CHARACTERS = 200  # of the last error's text in the reason, to keep one readable line; parked keys have all of it


class CircuitBreaker:
    """The circuit breaker of a group as one worker sees it: results of first attempts, and the time of the next probe.

    Only the worker's own thread may use it.
    """

    def __init__(self, group: str, retry_on_contention: ContentionRetry) -> None:
        self._group, self._retry_on_contention = group, retry_on_contention
        self._attempts: deque[tuple[str, str, str]] = deque(maxlen=WINDOW_ATTEMPTS)  # topic, key, error ("": none)
        self._early: set[UUID] = set()  # ids of events whose first attempt raised RetryLater: a later one is judged
        self._pause = PROBE_SECONDS[0]
        self._probe_at: datetime | None = None
        self._rest: timedelta | None = None  # after the probe that runs
        # The id of the parked key that was probed last. The next probe takes another key, because one poison event must
        # not keep the circuit breaker open.
        self.probed_key = 0

    def succeeded(self, records: Sequence[Record], *, first: bool = True) -> None:
        """Count records that were handled at their first attempt.

        With `first=False` only those records count whose first attempt raised RetryLater.
        """
        if not first:
            records = [record for record in records if record.event_id in self._early]
        if self._early:
            self._early.difference_update(record.event_id for record in records)
        self._attempts.extend((record.topic, record.key, "") for record in records[-WINDOW_ATTEMPTS:])

    def failed(self, record: Record, error: BaseException, *, first: bool = True, final: bool = False) -> None:
        """Count a record whose first attempt failed.

        RetryLater does not count unless it is `final`: a later attempt of the event counts in its place. With
        `first=False` the record counts only if its first attempt raised RetryLater.
        """
        if not first and record.event_id not in self._early:
            return
        if isinstance(error, RetryLater) and not final:
            self._early.add(record.event_id)
            return
        self._early.discard(record.event_id)
        text = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
        self._attempts.append((record.topic, record.key, text))

    def reason(self) -> str:
        """Return the reason to open the circuit breaker now, or an empty text if there is none."""
        errors = [error for _, _, error in self._attempts if error]
        keys = {(topic, key) for topic, key, error in self._attempts if error}
        if len(errors) <= WINDOW_ATTEMPTS / 2 or len(keys) < KEYS_MIN:
            return ""
        return (
            f"{len(errors)} of the last {len(self._attempts)} first attempts failed, over {len(keys)} keys. "
            f"{LAST_ERROR}{errors[-1]}"
        )

    def trip_if_due(self) -> None:
        """Open the circuit breaker if most of the last first attempts failed."""
        if reason := self.reason():
            self._trip(reason)

    def trip_if_full(self) -> None:
        """Open the circuit breaker if the group has as many parked keys as it may have."""
        if parking.is_full(self._group):
            self._trip(
                f"{parking.PARKED_KEYS_MAX} keys are parked, and no more may be: requeue or discard dead letters"
            )

    def _trip(self, reason: str) -> None:
        self._retry_on_contention(trip, self._group, reason)
        self.wait()

    def reset(self) -> None:
        """Forget all results. Called once the circuit breaker has been closed."""
        self._attempts.clear()
        self._pause, self._probe_at, self._rest, self.probed_key = PROBE_SECONDS[0], None, None, 0

    @contextmanager
    def probing(self) -> Iterator[bool]:
        """Yield True if a probe is due. The pause begins when it ends: the next does not follow a slow one at once.

        After a restart one is due at once, because the new release may have the repair.
        """
        due = self._probe_at is None or self._probe_at <= clock.now()
        try:
            yield due
        finally:
            if due and self._rest is not None:
                self._probe_at, self._rest = clock.now() + self._rest, None

    def wait(self) -> None:
        """Set the time of the next probe. The pause doubles each time.

        Its jitter keeps groups from probing together.
        """
        self._rest = timedelta(seconds=random.uniform(self._pause / 2, self._pause))
        self._probe_at = clock.now() + self._rest
        self._pause = min(self._pause * 2, PROBE_SECONDS[1])


def trip(group: str, reason: str) -> None:
    """Open the group's circuit breaker. If it is open already, its reason stays."""
    with failpoints.atomic("breaker.trip"):
        flowing = ConsumerGroup.objects.filter(name=group, breaker_opened_at__isnull=True)
        opened = flowing.update(breaker_opened_at=clock.now(), breaker_reason=printable(reason))
    if opened:
        logger.error("The circuit breaker of group %s is open: %s", group, reason)


def reset(group: str) -> None:
    """Close the group's circuit breaker, in the caller's transaction."""
    if ConsumerGroup.objects.filter(name=group, breaker_opened_at__isnull=False).update(
        breaker_opened_at=None, breaker_reason=""
    ):
        transaction.on_commit(lambda: logger.warning("Group %s goes on: a probe succeeded", group), robust=True)
