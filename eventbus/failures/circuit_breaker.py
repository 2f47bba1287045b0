"""The circuit breaker: it stops a group that fails most events, until a probe succeeds.

Its state is a column (`ConsumerGroup.breaker_opened_at`), read with each lock of the group's progress. The results that
it judges by are only in the worker's memory. So handling writes nothing more, and a restart delays the breaker by
WINDOW_ATTEMPTS at most.
"""

import logging
import random
from collections import deque
from collections.abc import Sequence
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

WINDOW_ATTEMPTS = (
    50  # first attempts that it judges by: a bad deploy shows after some 26 failures, and bad luck is no majority
)
KEYS_MIN = 10  # keys that must have failed: a few customers' broken data is parked, and must not stop the others
# The first and the longest pause between probes. Short disturbances end in seconds. Even after hours, the next probe
# comes within the longest pause. A provider that is down is called about four times a minute.
PROBE_SECONDS = (1.0, 15.0)
ERROR_CHARACTERS = 200  # of the last error, in the reason: a readable line; the parked keys have the whole text


class CircuitBreaker:
    """One worker's view of its group's first attempts, and the time of its next probe. Belongs to one thread."""

    def __init__(self, group: str, retry_on_contention: ContentionRetry) -> None:
        self._group, self._retry_on_contention = group, retry_on_contention
        self._attempts: deque[tuple[str, str, str]] = deque(maxlen=WINDOW_ATTEMPTS)  # topic, key, error ("": none)
        self._early: set[UUID] = set()  # parked heads whose first attempt raised RetryLater: not judged yet
        self._pause = PROBE_SECONDS[0]
        self._probe_at: datetime | None = None
        self.probed_key = (
            0  # the parked key that was probed last: probes take turns, or one poison event would keep it open
        )

    def succeeded(self, records: Sequence[Record], *, first: bool = True) -> None:
        """Note handled records, at their first attempt or not."""
        if not first:
            records = [record for record in records if record.event_id in self._early]
        if self._early:
            self._early.difference_update(record.event_id for record in records)
        self._attempts.extend((record.topic, record.key, "") for record in records[-WINDOW_ATTEMPTS:])

    def failed(self, record: Record, error: BaseException, *, first: bool = True, final: bool = False) -> None:
        """Note a failed record. RetryLater is no failure yet: the attempts that follow it decide."""
        if not first and record.event_id not in self._early:
            return
        if isinstance(error, RetryLater) and not final:
            self._early.add(record.event_id)
            return
        self._early.discard(record.event_id)
        text = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
        self._attempts.append((record.topic, record.key, text))

    def reason(self) -> str:
        """Return why it must open now; empty when it need not."""
        errors = [error for _, _, error in self._attempts if error]
        keys = {(topic, key) for topic, key, error in self._attempts if error}
        if len(errors) <= WINDOW_ATTEMPTS / 2 or len(keys) < KEYS_MIN:
            return ""
        return (
            f"{len(errors)} of the last {len(self._attempts)} first attempts failed, over {len(keys)} keys. "
            f"The last: {errors[-1]}"
        )

    def trip_if_due(self) -> None:
        """Open it when most of the last first attempts failed."""
        if reason := self.reason():
            self._trip(reason)

    def trip_if_full(self) -> None:
        """Open it when no more keys may be parked."""
        if parking.is_full(self._group):
            self._trip(
                f"{parking.PARKED_KEYS_MAX} keys are parked, and no more may be: requeue or discard dead letters"
            )

    def _trip(self, reason: str) -> None:
        self._retry_on_contention(trip, self._group, reason)
        self.wait()

    def reset(self) -> None:
        """Begin a new window: the circuit breaker was closed, and judges by what comes from now on."""
        self._attempts.clear()
        self._pause, self._probe_at, self.probed_key = PROBE_SECONDS[0], None, 0

    def may_probe(self) -> bool:
        """Return True when a probe is due: at once after a restart, which may have brought the repair."""
        return self._probe_at is None or self._probe_at <= clock.now()

    def wait(self) -> None:
        """Let time pass before the next probe, more each time; with jitter, so that groups do not probe in step."""
        self._probe_at = clock.now() + timedelta(seconds=random.uniform(self._pause / 2, self._pause))
        self._pause = min(self._pause * 2, PROBE_SECONDS[1])


def trip(group: str, reason: str) -> None:
    """Open the group's circuit breaker. The first reason stays."""
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
