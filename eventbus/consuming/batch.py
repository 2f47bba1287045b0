"""Run one group's handlers for records. Each transaction commits fully or not at all."""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import connection

from eventbus import clock, failpoints
from eventbus.backends.base import TopicPartition
from eventbus.consuming import ignored_types, trust
from eventbus.consuming.handler_calls import HandlerCalls
from eventbus.database.contention import ContentionRetry
from eventbus.errors import CrashedRepeatedly, GroupStopped, OutcomeUnknown, TooManyParked
from eventbus.events import Record, count_ours
from eventbus.failures import circuit_breaker, effects, parking
from eventbus.failures.circuit_breaker import CircuitBreaker
from eventbus.failures.effects_in_flight import Note
from eventbus.failures.poison_suspicion import Suspicion, Verdict
from eventbus.failures.similar_warnings import PROBE, Warnings
from eventbus.measuring import bus_metrics
from eventbus.models import Progress
from eventbus.progress import groups, inbox
from eventbus.progress.groups import PAUSED, STOPPED
from eventbus.progress.partition_epochs import PartitionEpochs
from eventbus.publishing import outbox
from eventbus.recovery import divergence

# After this time a batch calls no further handler: others wait for its locks, on SQLite all writers. PostgreSQL locks
# rows only, and a second is far below its limits for locks and idle sessions.
BATCH_SECONDS = {"sqlite": 0.02, "postgresql": 1.0}


class BatchRunner:
    """The handling of records in the partitions that a worker owns.

    Methods that begin new work raise GroupStopped while the group is paused or its circuit breaker is open. A recorded
    divergence (the database was restored) pauses all groups: `groups.PAUSED` includes it.
    """

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

    def had(self, records: Sequence[Record]) -> set[UUID]:
        """Return the ids of the events that the group had before, so that no handler is called for them."""
        return inbox.known(self._group.name, [record.event_id for record in records])

    def batch(
        self, partition: TopicPartition, records: Sequence[Record], *, unless: str = STOPPED, passing: bool = False
    ) -> int:
        """Handle as many records as fit into BATCH_SECONDS in one transaction. Return how many: at least one.

        The first error of any handler is raised, and rolls back the whole batch. `unless`: the SQL condition under
        which GroupStopped is raised (`groups.STOPPED`, `groups.PAUSED`). `passing`: stop before the first record that
        needs a handler, so the number may be 0.
        """
        done: list[Record] = []
        fresh: list[Record] = []
        self._calls.begin()
        with self._calls.traced_whole(records), failpoints.atomic("handle.batch"), outbox.gathered():
            progress = self._epochs.lock(partition, unless=unless)
            until = clock.monotonic() + BATCH_SECONDS[connection.vendor]
            is_fresh = self._sorting(progress, records)
            for record in records:
                if is_fresh(record):
                    if passing:
                        break
                    self._calls.call(record, None)
                    fresh.append(record)
                done.append(record)
                if clock.monotonic() >= until:
                    break
            if done:
                self._finish(progress, done, fresh)
        self._succeeded(fresh)
        return len(done)

    def announce(self, partition: TopicPartition) -> None:
        """Store that a batch begins. If the process crashes, the next owner handles records one by one."""
        with failpoints.atomic("handle.announce"):
            progress = self._epochs.lock(partition, unless=STOPPED)
            progress.running_event, progress.crashes = None, 1  # no event: it is not known yet which one crashes
            groups.save(progress)

    def single(self, partition: TopicPartition, record: Record, *, announced: bool) -> None:
        """Handle one record in its own transaction. Park its key if it fails or may cause an outage.

        `announced`: first commit that the attempt begins, so that a crash during it is counted. This costs one more
        commit, so workers do it only where a crash may have happened, and for effects. Elsewhere a first crash is not
        counted, like one in a batch.
        """
        if announced:
            self._retry_on_contention(self._begin, partition, record, unless=STOPPED)
        try:
            self._alone(partition, [record], unless="" if announced else STOPPED)
        except Exception as error:
            verdict = self._judge(record, error)
            if verdict is Verdict.EXCUSED:
                raise
            if verdict is Verdict.SUSPECTED:
                self._park_or_stop(partition, record, error, attempts=0)
                parked = parking.parked_keys(self._group.name, record.topic, {record.key})
                self._suspicion.keys |= {key.id: partition for key in parked.values()}
                raise
            self._on_failure(error)
            follows = self._park_or_stop(partition, record, error, attempts=int(self._suspicion.counts(record, error)))
            if follows:
                self._warnings.failed(record, error, follows)

    def probe(self, partition: TopicPartition, records: Sequence[Record]) -> int:
        """Try the first record that has a handler, while the circuit breaker is open. Return how many are passed.

        If the probe succeeds, the circuit breaker closes. If it fails, nothing counts: no attempt, no dead letter, no
        progress. Records without a handler are passed, so that the probe reaches one that has one. An effect with an
        unknown outcome becomes a dead letter instead. It must not be called again without an operator. As the probe it
        would fail every time, and the circuit breaker would never close. If the group may park no more keys, the record
        stays.
        """
        ahead = self._first_for_now(records)
        if ahead is None:
            return self._retry_on_contention(self.batch, partition, records, unless=PAUSED)
        record = records[ahead]
        self._breaker.wait()  # only now: passing records without a handler is no probe
        self._retry_on_contention(self._begin, partition, record, unless=PAUSED)
        try:
            self._alone(partition, records[: ahead + 1], closes=True)
            return ahead + 1
        except Exception as error:
            if self._judge(record, error) is not Verdict.BLAMED:
                raise
            self._on_failure(error)
            self._warnings.failed(record, error, PROBE)
            if isinstance(error, OutcomeUnknown):
                return self._set_aside(partition, records[: ahead + 1], error)
            self._retry_on_contention(self._leave, partition, record, error)
            return 0

    def _set_aside(self, partition: TopicPartition, records: Sequence[Record], error: BaseException) -> int:
        """Pass these records, and make the last one a dead letter. Return how many are passed.

        Only the last one needs a handler. If the group may park no more keys, it stays in the log, unhandled.
        """
        *ahead, record = records
        passed = self._retry_on_contention(self.batch, partition, ahead, unless="", passing=True) if ahead else 0
        if passed == len(ahead):
            try:
                self._retry_on_contention(self._park, partition, record, error, 1)
                return passed + 1
            except TooManyParked:
                pass
        self._retry_on_contention(self._leave, partition, record, error)
        return passed

    def _begin(self, partition: TopicPartition, record: Record, *, unless: str) -> None:
        with failpoints.atomic("handle.begin"):
            progress = self._epochs.lock(partition, unless=unless)
            if progress.running_event == record.event_id:
                progress.crashes += 1  # the event's last attempt never ended; crashes before its first are not its own
            else:
                progress.running_event, progress.crashes = record.event_id, 0
            groups.save(progress)

    def _alone(
        self, partition: TopicPartition, records: Sequence[Record], *, unless: str = "", closes: bool = False
    ) -> None:
        """Handle the last of these records. Pass those before it, which need no handler now."""
        record = records[-1]
        self._calls.begin()
        note = self._calls.ask(partition, record)
        fresh = self._retry_on_contention(self._one, partition, records, note, unless=unless, closes=closes)
        self._calls.effects.settled(record)
        self._succeeded(fresh)

    def _one(
        self, partition: TopicPartition, records: Sequence[Record], note: Note | None, *, unless: str, closes: bool
    ) -> list[Record]:
        self._calls.in_hand = None
        with failpoints.atomic("handle.single"), outbox.gathered():
            progress = self._epochs.lock(partition, unless=unless)
            is_fresh = self._sorting(progress, records)
            fresh = [record for record in records if is_fresh(record)]
            for record in fresh:
                effects.refuse_deadly(self._group, record, progress.crashes)
                self._calls.call(record, note)
            self._finish(progress, records, fresh)
            if closes and fresh:
                circuit_breaker.reset(self._group.name)
        return fresh

    def _first_for_now(self, records: Sequence[Record]) -> int | None:
        """Return the index of the first record that a handler would be called for, or None."""
        name, topic = self._group.name, records[0].topic
        seen = self.had(records)
        gone = divergence.forgotten(record for record in records if record.event_id not in seen)
        parked = parking.parked_keys(name, topic, {record.key for record in records})
        for index, record in enumerate(records):
            dropped = record.event_id in seen or record.offset in gone or record.key in parked
            if self._group.of(record) and not dropped:
                return index
        return None

    def _park_or_stop(self, partition: TopicPartition, record: Record, error: Exception, *, attempts: int) -> str:
        """Park the key of a failed record. Return what follows, for the log; empty if the record is handled.

        Raises GroupStopped at the limit of parked keys: then the record stays in the log, unhandled.
        """
        try:
            follows = self._retry_on_contention(self._park, partition, record, error, attempts)
            if not follows:
                return ""
        except TooManyParked:
            self._warnings.failed(record, error, "and no more keys may be parked")
            self._retry_on_contention(self._leave, partition, record, error)
            self._breaker.trip_if_full()
            raise GroupStopped(f"{self._group.name} has {parking.PARKED_KEYS_MAX} parked keys") from error
        final = bool(attempts) and self._group.policy(record).gives_up(error, attempts)
        self._breaker.failed(record, error, final=final)
        self._breaker.trip_if_due()
        self._breaker.trip_if_full()
        return follows

    def _park(self, partition: TopicPartition, record: Record, error: BaseException, attempts: int) -> str:
        with failpoints.atomic("handle.park"):
            progress = self._epochs.lock(partition)
            if record.offset < progress.offset:
                return ""  # the error came after the commit: the record is handled
            self._calls.effects.unclaim(record)
            follows = parking.park(self._group, record, error, attempts=attempts)
            self._finish(progress, [record], [])
            return follows

    def _leave(self, partition: TopicPartition, record: Record, error: BaseException) -> None:
        """Leave a failed record in the log as if it had not been tried, but keep the count of crashes in it."""
        with failpoints.atomic("handle.leave"):
            progress = self._epochs.lock(partition)
            if record.offset < progress.offset:
                return
            if not isinstance(error, OutcomeUnknown | CrashedRepeatedly):  # this try called no effect: the claim stays
                self._calls.effects.unclaim(record)
            if not isinstance(error, CrashedRepeatedly):
                progress.running_event, progress.crashes = None, 0
                groups.save(progress)

    def _judge(self, record: Record, error: BaseException) -> Verdict:
        return self._suspicion.judge(record, error, seconds=self._calls.seconds(record))

    def _succeeded(self, records: Sequence[Record]) -> None:
        bus_metrics.handled(self._group.name, records)
        self._breaker.succeeded(records)
        self._suspicion.succeeded([record.event_id for record in records])

    def _sorting(self, progress: Progress, records: Sequence[Record]) -> Callable[[Record], bool]:
        """Return a function that takes the records in order, and returns True for each that a handler must handle now.

        For the others it does what is needed. Repeats are dropped, and so are events that a restored database forgot
        (`divergence.forgotten`). Events without a handler in this group are counted as ignored. Events of a parked key
        are parked behind the key's earlier ones.
        """
        ahead = [record for record in records if record.offset >= progress.offset]
        seen = {event_id.int for event_id in self.had(ahead)}  # an int's hash takes half the time of a UUID's
        gone = divergence.forgotten(record for record in ahead if record.event_id.int not in seen)
        parked = parking.parked_keys(self._group.name, progress.topic, {record.key for record in ahead})

        def is_fresh(record: Record) -> bool:
            if record.offset < progress.offset or record.event_id.int in seen or record.offset in gone:
                return False
            if not self._group.of(record):
                progress.ignored += record.ours
                ignored_types.note(progress, record)
                return False
            seen.add(record.event_id.int)
            if record.key in parked:
                parking.wait_at_end(parked[record.key], record)
                return False
            return True

        return is_fresh

    def _finish(self, progress: Progress, records: Sequence[Record], handled: Sequence[Record]) -> None:
        trust.set_aside(self._group, progress, records)
        inbox.note(self._group.name, [record.event_id for record in handled])
        failpoints.hit("progress")
        progress.offset = max(progress.offset, records[-1].offset + 1)
        progress.handled += count_ours(handled)
        progress.running_event, progress.crashes = None, 0
        groups.save(progress)
        self._epochs.moved(progress)
