"""Try the heads of parked keys again, in order, each in a transaction of its own."""

from eventbus import failpoints
from eventbus.backends.base import TopicPartition
from eventbus.consuming import ignored_types
from eventbus.consuming.ownership import Note, Ownership
from eventbus.errors import CrashedRepeatedly, OutcomeUnknown, could_be_outage
from eventbus.failures import circuit_breaker, effects, parking
from eventbus.failures.poison_suspicion import Verdict
from eventbus.failures.similar_warnings import PROBE
from eventbus.models import ParkedEvent, ParkedKey
from eventbus.progress import groups, inbox
from eventbus.progress.groups import PAUSED, STOPPED
from eventbus.publishing import outbox


class Retries:
    """Retry the parked keys of a worker's partitions. Raises GroupStopped as `BatchRunner` does."""

    def __init__(self, owned: Ownership) -> None:
        self._owned = owned
        self._group = owned.group
        self._retry_on_contention = owned.retry_on_contention

    def retry(self, key_id: int, partition: TopicPartition) -> bool:
        """Try a parked key's head once. Return True if it succeeded, so that the next may follow."""
        self._owned.suspects.pop(key_id, None)
        head = self._retry_on_contention(self._begin, key_id, partition, STOPPED)
        if head is None:
            return False
        try:
            self._try(head, partition)
            return True
        except Exception as error:
            record = parking.record_of(head)
            if self._owned.judge(record, error) is not Verdict.BLAMED:
                self._owned.suspects[key_id] = partition
                if could_be_outage(error):  # if the database really is unavailable, this fails as well
                    self._retry_on_contention(self._leave, key_id, partition, error, is_told=False)
                    self._owned.left_clean = True
                raise
            self._retry_on_contention(self._failed, key_id, partition, error, self._owned.counts(record, error))
            self._owned.trip_if_due()
            return False

    def probe(self, key_id: int, partition: TopicPartition) -> bool:
        """Probe with a parked event. Success closes the circuit breaker; failure counts as no attempt."""
        head = self._retry_on_contention(self._begin, key_id, partition, PAUSED)
        if head is None:
            return False
        try:
            self._try(head, partition, closes=True)
            return True
        except Exception as error:
            record = parking.record_of(head)
            if self._owned.judge(record, error) is not Verdict.BLAMED:
                raise
            self._retry_on_contention(self._leave, key_id, partition, error)
            return False

    def _begin(self, key_id: int, partition: TopicPartition, unless: str) -> ParkedEvent | None:
        """Mark the head as running and return it. Return None when its key is free, or waits for an operator."""
        with failpoints.atomic("retry.begin"):
            self._owned.lock(partition, unless=unless)
            if not ParkedKey.objects.filter(id=key_id, state=ParkedKey.State.RETRYING).update(running=True):
                return None
            return ParkedEvent.objects.select_related("parked_key").filter(parked_key=key_id)[0]

    def _try(self, head: ParkedEvent, partition: TopicPartition, *, closes: bool = False) -> None:
        key, record = head.parked_key, parking.record_of(head)
        self._owned.begin()
        known = bool(self._group.of(record))
        if known:
            effects.refuse_deadly(self._group, record, key.crashes)
        note = self._owned.ask(partition, record, parked=True)
        self._retry_on_contention(self._drain, key.id, head.id, partition, note, closes=closes and known)
        self._owned.settled(record)
        if known:
            self._owned.succeeded([record], first=key.attempts == 0)

    def _drain(self, key_id: int, head_id: int, partition: TopicPartition, note: Note | None, *, closes: bool) -> None:
        """Handle a head and let the next one come up. An event that lost its handler is let go and counted."""
        self._owned.in_hand = None
        with failpoints.atomic("retry.drain"), outbox.gathered():
            progress = self._owned.lock(partition)
            key, head = ParkedKey.objects.get(id=key_id), ParkedEvent.objects.get(id=head_id)
            record = parking.record_of(head)
            if self._group.of(record):
                self._owned.act(record, note)
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
            self._owned.lock(partition)
            key = self._running(key_id)
            if key is None:
                return
            head = key.events.all()[0]
            record = parking.record_of(head)
            self._owned.on_failure(record, error)
            self._owned.unclaim(record)
            attempts, policy = key.attempts + counts, self._group.policy(record)
            final = policy.gives_up(error, attempts)
            if final:
                parking.dead_letter_head(self._group, key, head, error, attempts=attempts)
                follows = parking.last_attempt(policy, attempts)
            else:
                follows = parking.postpone(key, policy, error, attempts=attempts)
        self._owned.warnings.failed(record, error, follows)
        first = attempts == 1 and counts and not could_be_outage(error)  # else the circuit breaker has seen it before
        self._owned.breaker.failed(record, error, first=first, final=final)

    def _leave(self, key_id: int, partition: TopicPartition, error: BaseException, *, is_told: bool = True) -> None:
        """Let the key wait as before, after a failed probe or an infrastructure error."""
        with failpoints.atomic("retry.leave"):
            self._owned.lock(partition)
            key = self._running(key_id)
            if key is None:
                return
            record = parking.record_of(key.events.all()[0])
            if is_told:
                self._owned.on_failure(record, error)
                self._owned.warnings.failed(record, error, PROBE)
            if not isinstance(error, OutcomeUnknown | CrashedRepeatedly):  # nothing was asked: it stays unknown
                self._owned.unclaim(record)
            key.running = False
            key.save()

    def _running(self, key_id: int) -> ParkedKey | None:
        """Return the key in hand. None if it failed after its commit: the head is handled, the next not to blame."""
        return ParkedKey.objects.filter(id=key_id, running=True).first()
