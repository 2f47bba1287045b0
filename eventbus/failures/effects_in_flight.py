"""The effects that this process has claimed or called, and whose answers are not recorded yet.

If an infrastructure error comes before the answer is recorded, the effect must not be called again. Nor is that error
counted as a crash.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from uuid import UUID

from django.db import transaction

from eventbus import failpoints
from eventbus.envelope_texts import traceparent_of
from eventbus.events import Record, with_causation
from eventbus.failures import effects
from eventbus.measuring import bus_metrics
from eventbus.models import Effect
from eventbus.registry import Group
from eventbus.tracing import switch

Note = Callable[[], None]  # records the answers of an effect


class EffectsInFlight:
    """One group's effects in flight, by event id. Belongs to one worker's thread."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._claimed: dict[UUID, datetime] = {}  # when this process claimed them
        self._answers: dict[UUID, Note] = {}

    def claim(self, record: Record) -> None:
        """Claim the effect of a record, in the caller's transaction. See `effects.claim`."""
        ours, answered = self._claimed.get(record.event_id), record.event_id in self._answers
        # Remembered before the commit: a commit may succeed although its confirmation is lost.
        self._claimed[record.event_id] = effects.claim(self._group, record, ours=ours, answered=answered)

    def answer(self, record: Record) -> Note | None:
        """Return the function that records the answer, or None if the effect has not been called."""
        return self._answers.get(record.event_id)

    def call(self, record: Record) -> Note:
        """Call a claimed effect, outside any transaction. Return the function that records its answer."""
        failpoints.hit("effect.ask")
        with bus_metrics.effect(self._group.name), self._traced(record):
            note = self._answers[record.event_id] = with_causation(record, effects.ask, self._group, record)
        failpoints.hit("effect.answered")
        return note

    def _traced(self, record: Record) -> AbstractContextManager[None]:
        if switch.active is None:
            return nullcontext()
        trace = traceparent_of(record.headers)
        return switch.active.effect(self._group.name, record.topic, record.type, trace)

    def unclaim(self, record: Record) -> None:
        """Let the effect of a failed attempt be called again, unless it was called and this process has the answer."""
        if self._group.effects and record.event_id not in self._answers:
            effects.close(self._group, record, Effect.State.FAILED)
            # Until this commits, the stored claim is still the one of this process.
            transaction.on_commit(lambda: self._claimed.pop(record.event_id, None))

    def settled(self, record: Record) -> None:
        """Forget claim and answer of a handled record."""
        self._claimed.pop(record.event_id, None)
        self._answers.pop(record.event_id, None)
