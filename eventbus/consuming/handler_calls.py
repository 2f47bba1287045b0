"""Call the handlers of one group, and make the calls of its effects."""

from uuid import UUID

from eventbus import clock, failpoints
from eventbus.backends.base import TopicPartition
from eventbus.consuming.thread_liveness import Pulse
from eventbus.database.contention import ContentionRetry
from eventbus.errors import HandlerTimeout
from eventbus.events import Record, with_causation
from eventbus.failures import effects, parking
from eventbus.failures.effects_in_flight import EffectsInFlight, Note
from eventbus.models import Progress
from eventbus.progress import inbox
from eventbus.progress.partition_epochs import PartitionEpochs
from eventbus.recovery import divergence


class HandlerCalls:
    """The calls of one worker. Its pulse knows how long each of them may take."""

    def __init__(self, epochs: PartitionEpochs, pulse: Pulse, retry_on_contention: ContentionRetry) -> None:
        self.in_hand: UUID | None = None  # the event whose handler was called last, in this try
        self.effects = EffectsInFlight(epochs.group)
        self._group, self._epochs, self._pulse = epochs.group, epochs, pulse
        self._retry_on_contention = retry_on_contention
        self._begun_at = 0.0  # when this try began

    def begin(self) -> None:
        """Begin a try: an error before a handler is called is not the event's failure."""
        self.in_hand, self._begun_at = None, clock.monotonic()

    def seconds(self, record: Record) -> float | None:
        """Return how long this try has taken. None if it did not call the record's handlers, or the worker leaves."""
        if self.in_hand != record.event_id or self._retry_on_contention.ends:
            return None
        return clock.monotonic() - self._begun_at

    def call(self, record: Record, note: Note | None) -> None:
        """Run its handlers, or record the answer of its effect, in the caller's transaction. Raises HandlerTimeout."""
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
        """Claim an effect, make its call once, and return what records the answer in a later transaction."""
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
                effects.refuse_deadly(self._group, record, progress.crashes)  # now: after the call it is too late
            self.effects.claim(record)
        return True

    def _is_fresh(self, progress: Progress, record: Record) -> bool:
        """Return True if the group has not had it, no restore forgot it, and its key is not parked. Raises Diverged."""
        name = self._group.name
        if record.offset < progress.offset or inbox.known(name, [record.event_id]) or divergence.forgotten([record]):
            return False
        return not parking.parked_keys(name, record.topic, {record.key})

    def _starts(self, record: Record) -> float:
        """Note that a handler is called now. Return its deadline by the bus's clock."""
        self.in_hand, limit = record.event_id, self._group.seconds_for(record)
        self._pulse.begins(record, limit, self._epochs.interrupt)
        return clock.monotonic() + limit
