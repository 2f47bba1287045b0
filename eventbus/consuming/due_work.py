"""The work of a group besides new records: parked keys that are due, suspected keys, and operators' requests."""

import threading
from collections import defaultdict, deque
from collections.abc import Sequence

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

from eventbus import clock, failpoints
from eventbus.backends.base import TopicPartition
from eventbus.consuming.batch import BATCH_SECONDS
from eventbus.consuming.retries import Retries
from eventbus.database import sql
from eventbus.database.contention import ContentionRetry
from eventbus.failures import dead_letter_requests
from eventbus.failures.circuit_breaker import CircuitBreaker
from eventbus.failures.poison_suspicion import Suspicion
from eventbus.models import DeadLetter, ParkedKey
from eventbus.progress import groups
from eventbus.progress.groups import PAUSED, REASON, STOPPED
from eventbus.progress.partition_epochs import PartitionEpochs

PARKED_AT_ONCE = 50  # attempts at parked events before new records get their turn again
REQUESTS_AT_ONCE = 200  # operators' requests carried out before that: each is quick, and they come in thousands
PARKED_SECONDS = 1.0  # after this time no further attempt begins before that: servers that do not answer take long

_WAITING = f"""
    SELECT (SELECT {REASON} FROM eventbus_consumergroup WHERE name = %b AND {STOPPED}), EXISTS (
        SELECT 1 FROM eventbus_parkedkey WHERE "group" = %b AND state = '{ParkedKey.State.RETRYING}' AND due_at <= %b
        UNION ALL SELECT 1 FROM eventbus_deadletter WHERE "group" = %b AND request > ''
    )
"""


class DueWork:
    """Find and do the work that the partitions of one worker have besides new records."""

    def __init__(
        self,
        epochs: PartitionEpochs,
        retries: Retries,
        breaker: CircuitBreaker,
        suspicion: Suspicion,
        retry_on_contention: ContentionRetry,
        stop: threading.Event,
    ) -> None:
        self._group, self._epochs = epochs.group, epochs
        self._retries, self._breaker, self._suspicion = retries, breaker, suspicion
        self._retry_on_contention, self._stop = retry_on_contention, stop

    def probe(self) -> bool | None:
        """Probe with the next parked key, the oldest first (`Retries.probe`).

        Return None if every key has had its turn.
        """
        heads = self._retrying().filter(id__gt=self._breaker.probed_key).order_by("id")
        head = heads.values_list("id", "topic", "partition").first()
        if head is None:
            self._breaker.probed_key = 0
            return None
        key_id, topic, number = head
        self._breaker.probed_key = key_id
        self._breaker.wait()
        return self._retries.probe(key_id, TopicPartition(topic, number))

    def is_due(self) -> bool:
        """Return True if an operator's request or a parked key may be due.

        Runs for every batch, and is one cheap query. Raises GroupStopped, even if no record waits: a worker must see an
        open circuit breaker before it judges further results.
        """
        connection, name = connections[DEFAULT_DB_ALIAS], self._group.name
        now = sql.time_value(connection, clock.now())
        [[stopped, waits]] = sql.fetch(connection, _WAITING, [name, name, now, name])
        if stopped:
            raise groups.stopped_by(stopped, name)
        return bool(waits)

    def apply_requests(self) -> int:
        """Carry out operators' requests for dead letters, many in each transaction. Return how many."""
        asked = DeadLetter.objects.filter(groups.among(self._epochs.owned), group=self._group.name, request__gt="")
        requested = list(asked.order_by("id").values_list("topic", "partition", "id")[:REQUESTS_AT_ONCE])
        by_partition: defaultdict[TopicPartition, list[int]] = defaultdict(list)
        for topic, number, dead_letter_id in requested:
            by_partition[TopicPartition(topic, number)].append(dead_letter_id)
        return sum(self._retry_on_contention(self._apply, *asked) for asked in by_partition.items())

    def _apply(self, partition: TopicPartition, dead_letter_ids: Sequence[int]) -> int:
        """Carry out as many of these requests as fit into a batch's time, and at least one. Return how many."""
        with failpoints.atomic("apply_request"):
            progress = self._epochs.lock(partition, unless=PAUSED)
            until = clock.monotonic() + BATCH_SECONDS[connections[DEFAULT_DB_ALIAS].vendor]
            done: set[int] = set()
            for dead_letter in DeadLetter.objects.filter(id__in=dead_letter_ids, request__gt="").order_by("id"):
                if dead_letter.pk not in done:
                    done |= dead_letter_requests.apply_request(self._group, dead_letter, progress)
                if clock.monotonic() >= until:
                    break
        return len(done)

    def retry_due(self) -> int:
        """Try the parked keys that are due. Return the number of attempts.

        Each key is tried until an attempt fails or none of its events is left. A turn ends after PARKED_AT_ONCE
        attempts or PARKED_SECONDS. Keys that were not reached stay due, and are tried after the next records. A key
        that was not finished comes after them.
        """
        due = self._due().exclude(id__in=list(self._suspicion.keys)).order_by("due_at", "id")
        keys = deque(due.values_list("id", "topic", "partition")[:PARKED_AT_ONCE])
        tried, until = 0, clock.monotonic() + PARKED_SECONDS
        while keys and tried < PARKED_AT_ONCE and clock.monotonic() < until and not self._stop.is_set():
            key_id, topic, number = keys[0]
            if not self._retries.retry(key_id, TopicPartition(topic, number)):
                keys.popleft()
            tried += 1
        return tried

    def retry_suspect(self) -> int:
        """Try the suspected key that has waited longest. Called after all other work. Return the number of attempts."""
        suspects = self._suspicion.keys
        due = set(self._due().filter(id__in=list(suspects)).values_list("id", flat=True))
        for key_id in [key_id for key_id in suspects if key_id not in due]:
            del suspects[key_id]
        if not suspects:
            return 0
        key_id = next(iter(suspects))
        return int(self._retries.retry(key_id, suspects[key_id]))

    def _due(self) -> QuerySet[ParkedKey]:
        return self._retrying().filter(due_at__lte=clock.now())

    def _retrying(self) -> QuerySet[ParkedKey]:
        mine = groups.among(self._epochs.owned)
        return ParkedKey.objects.filter(mine, group=self._group.name, state=ParkedKey.State.RETRYING)
