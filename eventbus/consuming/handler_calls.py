"""Call the handlers of one group, and claim and call its effects."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from eventbus import clock, failpoints
from eventbus.backends.base import TopicPartition
from eventbus.consuming.thread_liveness import Pulse
from eventbus.database.contention import ContentionRetry
from eventbus.envelope_texts import traceparent_of
from eventbus.errors import HandlerTimeout
from eventbus.events import Record, with_causation
from eventbus.failures import effects, parking
from eventbus.failures.effects_in_flight import EffectsInFlight, Note
from eventbus.models import Progress
from eventbus.progress import inbox
from eventbus.progress.partition_epochs import PartitionEpochs
from eventbus.recovery import divergence
from eventbus.tracing import switch


class HandlerCalls:
    """The handler calls of one worker. Its pulse is told how long each call may take."""

    def __init__(self, epochs: PartitionEpochs, pulse: Pulse, retry_on_contention: ContentionRetry) -> None:
        self.in_hand: UUID | None = None  # the event whose handler this try has called last
        self.effects = EffectsInFlight(epochs.group)
        self._group, self._epochs, self._pulse = epochs.group, epochs, pulse
        self._retry_on_contention = retry_on_contention
        self._is_traced_whole = False  # by one span for a batch
        self._begun_at = 0.0  # when this try began

    def begin(self) -> None:
        """Begin a try. An error before it calls a handler is not the event's failure."""
        self.in_hand, self._begun_at = None, clock.monotonic()

    def seconds(self, record: Record) -> float | None:
        """Return the seconds since this try began.

        Return None if the try has not called the record's handlers, or if the worker is leaving.
        """
        if self.in_hand != record.event_id or self._retry_on_contention.ends:
            return None
        return clock.monotonic() - self._begun_at

    def call(self, record: Record, note: Note | None) -> None:
        """Run a record's handlers, or record the answer of its effect (`note`), in the caller's transaction.

        Raises HandlerTimeout if they take longer than their `seconds`, and what the handlers raise.
        """
        spans = switch.active
        if spans is None or self._is_traced_whole:
            self._call(record, note)
            return
        with spans.processing(self._group.name, record.topic, record.type, traceparent_of(record.headers)):
            self._call(record, note)

    @contextmanager
    def traced_whole(self, records: Sequence[Record]) -> Iterator[None]:
        """Trace these records by one span if they are many. Else each has its own."""
        spans = switch.active
        if spans is None or len(records) <= spans.each_max:
            yield
            return
        self._is_traced_whole = True
        try:
            with spans.processing_many(
                self._group.name, records[0].topic, [traceparent_of(record.headers) for record in records]
            ):
                yield
        finally:
            self._is_traced_whole = False

    def _call(self, record: Record, note: Note | None) -> None:
        until = self._starts(record)
        try:
            failpoints.hit("handler.call")
            if note is None:
                with_causation(record, self._group.call, record)
            else:
                with_causation(record, note)
            failpoints.hit("handler.done")
        finally:
            self._pulse.beat()
        if clock.monotonic() > until:
            limit = self._group.seconds_for(record)
            raise HandlerTimeout(f"It took over {limit:g} s, which is what its handlers say (seconds=...)")

    def ask(self, partition: TopicPartition, record: Record, *, parked: bool = False) -> Note | None:
        """Claim and call the effect of a record. Return the function that records the answer in a later transaction.

        Return None if the record needs no call. If this process has called the effect already, it is not called again.
        """
        if not self._group.effects or not self._group.of(record):
            return None
        if not self._retry_on_contention(self._claim, partition, record, parked):
            return None
        if note := self.effects.answer(record):
            return note
        self._starts(record)
        try:
            return self.effects.call(record)
        finally:
            self._pulse.beat()

    def _claim(self, partition: TopicPartition, record: Record, parked: bool) -> bool:
        """Claim the effect. Return False if its record needs no call now."""
        with failpoints.atomic("effect.claim"):
            progress = self._epochs.lock(partition)
            if not parked:
                if not self._is_fresh(progress, record):
                    return False
                effects.refuse_deadly(self._group, record, progress.crashes)  # after the call it would be too late
            self.effects.claim(record)
        return True

    def _is_fresh(self, progress: Progress, record: Record) -> bool:
        """Return True if the record has to be handled now.

        Return False if the group has handled it, if it is dead, if its key is parked, or if a restored database forgot
        it. Raises Diverged if the database was restored, and no operator has decided about the record yet.
        """
        name = self._group.name
        if record.offset < progress.offset or inbox.known(name, [record.event_id]) or divergence.forgotten([record]):
            return False
        return not parking.parked_keys(name, record.topic, {record.key})

    def _starts(self, record: Record) -> float:
        """Note that a record's handlers are called now. Return their deadline by the bus's clock."""
        self.in_hand, limit = record.event_id, self._group.seconds_for(record)
        self._pulse.begins(record, limit, self._epochs.interrupt)
        return clock.monotonic() + limit
