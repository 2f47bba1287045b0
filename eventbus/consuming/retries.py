"""Retry the events of parked keys, in order, each in a transaction of its own."""

from collections.abc import Callable

from eventbus import failpoints
from eventbus.backends.base import TopicPartition
from eventbus.consuming import ignored_types
from eventbus.consuming.handler_calls import HandlerCalls
from eventbus.database.contention import ContentionRetry
from eventbus.errors import CrashedRepeatedly, OutcomeUnknown, could_be_outage
from eventbus.failures import circuit_breaker, effects, parking
from eventbus.failures.circuit_breaker import CircuitBreaker
from eventbus.failures.effects_in_flight import Note
from eventbus.failures.failed_alike import FailedAlike
from eventbus.failures.poison_suspicion import Suspicion, Verdict
from eventbus.failures.similar_warnings import PROBE, Warnings
from eventbus.measuring import bus_metrics
from eventbus.models import ParkedEvent, ParkedKey
from eventbus.progress import groups, inbox
from eventbus.progress.groups import PAUSED, STOPPED
from eventbus.progress.partition_epochs import PartitionEpochs
from eventbus.publishing import outbox


class Retries:
    """Retry the parked keys of a worker's partitions. Raises GroupStopped as `BatchRunner` does."""

    def __init__(
        self,
        epochs: PartitionEpochs,
        calls: HandlerCalls,
        breaker: CircuitBreaker,
        suspicion: Suspicion,
        retry_on_contention: ContentionRetry,
        warnings: Warnings,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._group, self._epochs, self._calls = epochs.group, epochs, calls
        self._breaker, self._suspicion = breaker, suspicion
        self._retry_on_contention, self._warnings, self._on_failure = retry_on_contention, warnings, on_failure
        self._alike = FailedAlike(epochs)

    def retry(self, key_id: int, partition: TopicPartition) -> bool:
        """Try the first event of a parked key once. Return True if it succeeded, so that the next may follow.

        A success makes keys due that failed alike (`FailedAlike`).
        """
        self._suspicion.keys.pop(key_id, None)
        head = self._retry_on_contention(self._begin, key_id, partition, STOPPED)
        if head is None:
            return False
        try:
            self._try(head, partition)
        except Exception as error:
            record = parking.record_of(head)
            if self._suspicion.judge(record, error, seconds=self._calls.seconds(record)) is not Verdict.BLAMED:
                self._suspicion.keys[key_id] = partition
                if could_be_outage(error):  # if the database is unavailable, `_leave` fails as well
                    self._retry_on_contention(self._leave, key_id, partition, error, is_reported=False)
                    self._epochs.left_clean = True
                raise
            self._retry_on_contention(self._failed, key_id, partition, error, self._suspicion.counts(record, error))
            self._breaker.trip_if_due()
            return False
        self._retry_on_contention(self._alike.make_due, head)
        return True

    def probe(self, key_id: int, partition: TopicPartition) -> bool:
        """Try the first event of a parked key as a probe.

        Return True if it succeeded, which closes the circuit breaker. A failed probe counts as no attempt.
        """
        head = self._retry_on_contention(self._begin, key_id, partition, PAUSED)
        if head is None:
            return False
        try:
            self._try(head, partition, closes=True)
        except Exception as error:
            record = parking.record_of(head)
            if self._suspicion.judge(record, error, seconds=self._calls.seconds(record)) is not Verdict.BLAMED:
                raise
            self._retry_on_contention(self._leave, key_id, partition, error)
            return False
        self._retry_on_contention(self._alike.make_due, head)
        return True

    def _begin(self, key_id: int, partition: TopicPartition, unless: str) -> ParkedEvent | None:
        """Mark the key as running, and return its first event.

        Return None if the key is free, or waits for an operator.
        """
        with failpoints.atomic("retry.begin"):
            self._epochs.lock(partition, unless=unless)
            if not ParkedKey.objects.filter(id=key_id, state=ParkedKey.State.RETRYING).update(running=True):
                return None
            return ParkedEvent.objects.select_related("parked_key").filter(parked_key=key_id)[0]

    def _try(self, head: ParkedEvent, partition: TopicPartition, *, closes: bool = False) -> None:
        key, record = head.parked_key, parking.record_of(head)
        self._calls.begin()
        known = bool(self._group.of(record))
        if known:
            bus_metrics.retried(self._group.name, record)
            effects.refuse_deadly(self._group, record, key.crashes)
        note = self._calls.ask(partition, record, parked=True)
        self._retry_on_contention(self._drain, key.id, head.id, partition, note, closes=closes and known)
        self._calls.effects.settled(record)
        if known:
            bus_metrics.handled(self._group.name, [record])
            self._breaker.succeeded([record], first=key.attempts == 0)
            self._suspicion.succeeded([record.event_id])

    def _drain(self, key_id: int, head_id: int, partition: TopicPartition, note: Note | None, *, closes: bool) -> None:
        """Handle the key's first event, and make the next one due. If its handler is gone, count it as ignored."""
        self._calls.in_hand = None
        with failpoints.atomic("retry.drain"), outbox.gathered():
            progress = self._epochs.lock(partition)
            key, head = ParkedKey.objects.get(id=key_id), ParkedEvent.objects.get(id=head_id)
            record = parking.record_of(head)
            if self._group.of(record):
                self._calls.call(record, note)
                inbox.note(self._group.name, [record.event_id])
                progress.handled += record.ours
            else:
                progress.ignored += record.ours
                ignored_types.note(progress, record)
            groups.save(progress)
            failpoints.hit("drained")
            head.delete()
            parking.go_on(key)
            if closes:
                circuit_breaker.reset(self._group.name)

    def _failed(self, key_id: int, partition: TopicPartition, error: BaseException, counts: bool) -> None:
        with failpoints.atomic("retry.failed"):
            self._epochs.lock(partition)
            key = self._running(key_id)
            if key is None:
                return
            head = key.events.all()[0]
            record = parking.record_of(head)
            self._on_failure(error)
            self._calls.effects.unclaim(record)
            attempts, policy = key.attempts + counts, self._group.policy(record)
            final = policy.gives_up(error, attempts)
            if final:
                parking.dead_letter_head(self._group, key, head, error, attempts=attempts)
                follows = parking.last_attempt(policy, attempts)
            else:
                follows = parking.postpone(key, policy, error, attempts=attempts)
        self._warnings.failed(record, error, follows)
        first = attempts == 1 and counts and not could_be_outage(error)  # else an earlier attempt was counted
        self._breaker.failed(record, error, first=first, final=final)

    def _leave(self, key_id: int, partition: TopicPartition, error: BaseException, *, is_reported: bool = True) -> None:
        """Let the key wait as before, after a failed probe or an infrastructure error."""
        with failpoints.atomic("retry.leave"):
            self._epochs.lock(partition)
            key = self._running(key_id)
            if key is None:
                return
            record = parking.record_of(key.events.all()[0])
            if is_reported:
                self._on_failure(error)
                self._warnings.failed(record, error, PROBE)
            if not isinstance(error, OutcomeUnknown | CrashedRepeatedly):  # this try called no effect: the claim stays
                self._calls.effects.unclaim(record)
            key.running = False
            key.save()

    def _running(self, key_id: int) -> ParkedKey | None:
        """Return the key if this attempt is still running. Return None if the error came only after its commit.

        After the commit the event is handled, and the key's next event did not fail.
        """
        return ParkedKey.objects.filter(id=key_id, running=True).first()
