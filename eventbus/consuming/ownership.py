"""State of a worker for its partitions: their epochs, the effects in flight, and the group's circuit breaker."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, close_old_connections, connection, connections, transaction

from eventbus import clock, failpoints
from eventbus.backends.base import TopicPartition
from eventbus.consuming.thread_liveness import Pulse
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
from eventbus.failures.poison_suspicion import Suspicion, Verdict
from eventbus.failures.similar_warnings import Warnings
from eventbus.models import Effect, Progress
from eventbus.progress import groups, inbox, log_generations
from eventbus.recovery import divergence
from eventbus.registry import Group

Failure = Callable[[Record, BaseException], None]
Note = Callable[[], None]  # records the answers of an effect


class Ownership:
    """One group's partitions that one worker owns. `epochs` are those of its assignment."""

    def __init__(self, group: Group, on_failure: Failure, retry_on_contention: ContentionRetry) -> None:
        self.group = group
        self.epochs: dict[TopicPartition, int] = {}
        self.reached: dict[TopicPartition, int] = {}  # the group's highest known offset: it never goes back
        self.left_clean = False  # whether the error left no attempt behind, and the fetched records are as they were
        self.begun = False  # whether this step began something that may leave an attempt behind
        self.breaker = CircuitBreaker()
        self.suspicion = Suspicion()
        # Keys whose heads met an infrastructure error, in the order of their last try. All other work goes first.
        self.suspects: dict[int, TopicPartition] = {}
        self.pulse = Pulse(f"Group {group.name}")
        self.on_failure = on_failure
        self.warnings = Warnings(group.name)
        self.retry_on_contention = retry_on_contention
        # The times at which this process claimed effects, and the answers of their calls, by event id. An
        # infrastructure error between claim, call and record must not cause a second call, and is not a crash.
        self._claimed: dict[UUID, datetime] = {}
        self._answers: dict[UUID, Note] = {}
        self.in_hand: UUID | None = None  # the event whose handler was called last, in this try
        self._interrupt: Callable[[], None] | None = None
        self._begun_at = 0.0  # when this try began
        self._cut_off: dict[TopicPartition, UUID] = {}  # by partition, the last event whose session the database ended

    def begin(self) -> None:
        """Begin a try: an error before a handler is called is not the event's failure."""
        self.in_hand, self._begun_at = None, clock.monotonic()

    def judge(self, record: Record, error: BaseException) -> Verdict:
        """Decide if the error of a single record's attempt is the event's own failure. Close a broken connection first.

        The database ends sessions that are idle for too long, for example because the process was frozen. If that
        happens twice in a row with one event, the event is the cause. Partitions take turns, so the last such event is
        remembered for each partition.
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
        """Return True if a failure counts as an attempt. A service that answers other events is not unavailable."""
        return counts_as_attempt(error) or self.suspicion.met(record, error, seconds=0.0) is Verdict.BLAMED

    def succeeded(self, records: Sequence[Record], *, first: bool = True) -> None:
        """Note that these records were handled, at their first attempt or not."""
        self.breaker.succeeded(records, first=first)
        self.suspicion.succeeded([record.event_id for record in records])

    def lock(self, partition: TopicPartition, *, unless: str = "") -> Progress:
        """Lock as `groups.lock` does, with this worker's epoch. Raises StaleEpoch also if the stored offset went back.

        That shows that the database was restored. The worker has already read the events in between, and would leave
        them out.
        """
        self.begun = self.begun or bool(unless)  # only what begins something sets `unless`
        self._interrupt = sql.interrupting(connections[DEFAULT_DB_ALIAS])
        row = groups.lock(self.group, partition, self.epochs[partition], unless=unless)
        if row.offset < (reached := self.reached.get(partition, 0)):
            raise StaleEpoch(f"{self.group.name} is at {row.offset} in {partition}, and was at {reached}")
        return row

    def note_loss(self, lost: LogTruncated) -> None:
        """Have the relay fill these logs again, even if this process ends. Raises StaleEpoch if it has done so."""
        with transaction.atomic():
            for topic, partition in lost.places:
                log_generations.note(topic, log_generations.UNKNOWN)  # locked in the relay's order
                self.lock(TopicPartition(topic, partition))

    def passed(self, progress: Progress) -> None:
        """Remember the group's offset once the transaction that holds the row commits."""
        place, offset = TopicPartition(progress.topic, progress.partition), progress.offset
        transaction.on_commit(lambda: self.reached.update({place: offset}))

    def ask(self, partition: TopicPartition, record: Record, *, parked: bool = False) -> Note | None:
        """Claim an effect, make its call once, and return what records the answer in a later transaction."""
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
                effects.refuse_deadly(self.group, record, progress.crashes)  # now: after the call it is too late
            ours, answered = self._claimed.get(record.event_id), record.event_id in self._answers
            # Remembered before the commit: it may succeed although its confirmation is lost.
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
        """Note that a handler is called now. Return its deadline by the bus's clock."""
        self.in_hand, limit = record.event_id, self.group.seconds_for(record)
        self.pulse.begins(record, limit, self._interrupt)
        return clock.monotonic() + limit

    def unclaim(self, record: Record) -> None:
        """Let a failed attempt's effect be called again, unless it has happened and this process has the answer."""
        if self.group.effects and record.event_id not in self._answers:
            effects.close(self.group, record, Effect.State.FAILED)
            # Until that is committed, the claim stands and is ours.
            transaction.on_commit(lambda: self._claimed.pop(record.event_id, None))

    def settled(self, record: Record) -> None:
        """Forget claim and answer of a handled record."""
        self._claimed.pop(record.event_id, None)
        self._answers.pop(record.event_id, None)

    def is_fresh(self, record: Record) -> bool:
        """Return True if the group has not had it, no restore forgot it, and its key is not parked. Raises Diverged."""
        name = self.group.name
        if inbox.known(name, [record.event_id]) or divergence.forgotten([record]):
            return False
        return not parking.parked_keys(name, record.topic, {record.key})

    def trip_if_due(self) -> None:
        """Open the circuit breaker when most of the last first attempts failed."""
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
