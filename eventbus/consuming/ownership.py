"""State of a worker for its partitions: their epochs, the effects in flight, and the group's circuit breaker."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, close_old_connections, connection, connections, transaction

from eventbus import clock, failpoints
from eventbus.backends.base import TopicPartition
from eventbus.consuming.liveness import Pulse
from eventbus.database import sql
from eventbus.database.contention import ContentionRetry
from eventbus.errors import (
    HandlerTimeout,
    LogTruncated,
    StaleEpoch,
    could_be_outage,
    counts_as_attempt,
    is_cut_off,
    is_infrastructure_error,
)
from eventbus.events import Record, with_causation
from eventbus.failures import circuit_breaker, effects, parking
from eventbus.failures.circuit_breaker import CircuitBreaker
from eventbus.failures.suspicion import Suspicion, Verdict
from eventbus.models import Effect, Progress
from eventbus.progress import groups, inbox, log_generations
from eventbus.recovery import divergence
from eventbus.registry import Group

Failure = Callable[[Record, BaseException], None]
Note = Callable[[], None]  # records the answers of an effect


class Ownership:
    """One group's partitions in the hands of one worker. `epochs` are those of its assignment."""

    def __init__(self, group: Group, on_failure: Failure, retry_on_contention: ContentionRetry) -> None:
        self.group = group
        self.epochs: dict[TopicPartition, int] = {}
        self.reached: dict[TopicPartition, int] = {}  # how far the group is known to be there: it never goes back
        self.left_clean = False  # whether what ended this step left nothing behind, and what was fetched is as it was
        self.begun = False  # whether this step has come to what may leave an attempt behind
        self.breaker = CircuitBreaker()
        self.suspicion = Suspicion()
        # Keys whose heads met a broken world, the last to be tried at the end: whatever else there is goes first.
        self.suspects: dict[int, TopicPartition] = {}
        self.pulse = Pulse(f"Group {group.name}")
        self.on_failure = on_failure
        self.retry_on_contention = retry_on_contention
        # When this process claimed effects, and the answers that it has: a broken world between claiming, asking and
        # recording must not ask twice, and is not a death.
        self._claimed: dict[UUID, datetime] = {}
        self._answers: dict[UUID, Note] = {}
        self.in_hand: UUID | None = None  # the event whose handler was called last, in this try
        self._interrupt: Callable[[], None] | None = None
        self._begun_at = 0.0  # when this try began
        self._cut_off: dict[TopicPartition, UUID] = {}  # the last event of each whose session the database ended

    def begin(self) -> None:
        """A try begins: what goes wrong before a handler is called is not the event's."""
        self.in_hand, self._begun_at = None, clock.monotonic()

    def judge(self, record: Record, error: BaseException) -> Verdict:
        """Whose fault it is that an attempt that was alone ended so. The connection may be gone: afterwards it is not.

        Whose session stood idle for too long may have been frozen; the event that does so twice in a row does it.
        Partitions take turns, so each has a row of its own.
        """
        if not connection.in_atomic_block:
            close_old_connections()
        if is_cut_off(error):
            place = TopicPartition(record.topic, record.partition)
            before, self._cut_off[place] = self._cut_off.get(place), record.event_id
            return Verdict.EXCUSED if before != record.event_id else Verdict.BLAMED
        if not could_be_outage(error):
            return Verdict.EXCUSED if is_infrastructure_error(error) else Verdict.BLAMED
        if self.in_hand != record.event_id or self.retry_on_contention.ends:
            return Verdict.EXCUSED
        return self.suspicion.met(record, error, seconds=clock.monotonic() - self._begun_at)

    def counts(self, record: Record, error: BaseException) -> bool:
        """Whether a failure is an attempt: a service that is away for one event, and answers others, is not away."""
        return counts_as_attempt(error) or self.suspicion.met(record, error, seconds=0.0) is Verdict.BLAMED

    def succeeded(self, records: Sequence[Record], *, first: bool = True) -> None:
        """These were handled, at their first attempt or not."""
        self.breaker.succeeded(records, first=first)
        self.suspicion.succeeded([record.event_id for record in records])

    def lock(self, partition: TopicPartition, *, unless: str = "") -> Progress:
        """See `groups.lock`. Raises StaleEpoch also when the group went back: its database was restored meanwhile.

        What lies between would be left out, since it was read before.
        """
        self.begun = self.begun or bool(unless)  # what begins something names when not
        self._interrupt = sql.interrupting(connections[DEFAULT_DB_ALIAS])
        row = groups.lock(self.group, partition, self.epochs[partition], unless=unless)
        if row.offset < (reached := self.reached.get(partition, 0)):
            raise StaleEpoch(f"{self.group.name} is at {row.offset} in {partition}, and was at {reached}")
        return row

    def note_loss(self, lost: LogTruncated) -> None:
        """Have the relay fill these logs again, whatever becomes of this process. Raises StaleEpoch where it has."""
        with transaction.atomic():
            for topic, partition in lost.places:
                log_generations.note(topic, log_generations.UNKNOWN)  # locked in the relay's order
                self.lock(TopicPartition(topic, partition))

    def passed(self, progress: Progress) -> None:
        """The group will be so far, once what holds the row is committed."""
        place, offset = TopicPartition(progress.topic, progress.partition), progress.offset
        transaction.on_commit(lambda: self.reached.update({place: offset}))

    def ask(self, partition: TopicPartition, record: Record, *, parked: bool = False) -> Note | None:
        """For an effect: claim it and ask, before the transaction that records the answer. Never asked twice."""
        if not self.group.effects or not self.group.of(record):
            return None
        if not self.retry_on_contention(self._claim, partition, record, parked):
            return None
        note = self._answers.get(record.event_id)
        if note is None:
            self._begins(record)
            try:
                failpoints.hit("effect.ask")
                note = self._answers[record.event_id] = with_causation(record, effects.ask, self.group, record)
                failpoints.hit("effect.answered")
            finally:
                self.pulse.beat()
        return note

    def _claim(self, partition: TopicPartition, record: Record, parked: bool) -> bool:
        with failpoints.atomic("effect.claim"):
            progress = self.lock(partition)
            if not parked:
                if record.offset < progress.offset or not self.is_fresh(record):
                    return False
                effects.refuse_deadly(self.group, record, progress.crashes)  # now: an answer would come too late
            ours, answered = self._claimed.get(record.event_id), record.event_id in self._answers
            # Remembered before the commit, which can come true without our hearing of it.
            self._claimed[record.event_id] = effects.claim(self.group, record, ours=ours, answered=answered)
        return True

    def act(self, record: Record, note: Note | None) -> None:
        """Run its handlers, or record the answer of its effect, in the caller's transaction. Raises HandlerTimeout."""
        until = self._begins(record)
        try:
            failpoints.hit("handler.call")
            if note is None:
                with_causation(record, self.group.call, record)
            else:
                with_causation(record, note)
            failpoints.hit("handler.done")
        finally:
            self.pulse.beat()
        if clock.monotonic() > until:
            limit = self.group.seconds_for(record)
            raise HandlerTimeout(f"It took over {limit:g} s, which is what its handlers say (seconds=...)")

    def _begins(self, record: Record) -> float:
        """A handler is called now; until when it may take, by the bus's clock."""
        self.in_hand, limit = record.event_id, self.group.seconds_for(record)
        self.pulse.begins(record, limit, self._interrupt)
        return clock.monotonic() + limit

    def unclaim(self, record: Record) -> None:
        """An attempt failed: an effect may be asked for again, unless it has happened and only its answer is lost."""
        if self.group.effects and record.event_id not in self._answers:
            effects.close(self.group, record, Effect.State.FAILED)
            # Until that is committed, the claim stands and is ours.
            transaction.on_commit(lambda: self._claimed.pop(record.event_id, None))

    def settled(self, record: Record) -> None:
        """It is handled: its claim need not be remembered."""
        self._claimed.pop(record.event_id, None)
        self._answers.pop(record.event_id, None)

    def is_fresh(self, record: Record) -> bool:
        """Whether the group has not had it, no restore forgot it, and its key does not wait. Raises Diverged."""
        name = self.group.name
        if inbox.known(name, [record.event_id]) or divergence.forgotten([record]):
            return False
        return not parking.parked_keys(name, record.topic, {record.key})

    def trip_if_due(self) -> None:
        """Open the circuit breaker when most of what was seen has failed."""
        if reason := self.breaker.reason():
            self._stop(reason)

    def trip_if_full(self) -> None:
        """Open the circuit breaker when no more keys may be parked."""
        if parking.is_full(self.group.name):
            self._stop(
                f"{parking.PARKED_KEYS_MAX} keys are parked, and no more may be: requeue or discard dead letters"
            )

    def _stop(self, reason: str) -> None:
        self.retry_on_contention(circuit_breaker.trip, self.group.name, reason)
        self.breaker.wait()
