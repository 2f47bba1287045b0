"""Run effects. Claim one and commit, call it outside any transaction, and record its answer with the inbox row."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from eventbus import clock
from eventbus.errors import CrashedRepeatedly, OutcomeUnknown
from eventbus.events import Record, open_event
from eventbus.models import Effect
from eventbus.registry import Group, Handler

CRASHES_MAX = 3  # crashes during the same event until it is set aside: otherwise it would crash each new process
DOUBT = "A process died between asking and noting the answer; it is not asked twice"


def refuse_deadly(group: Group, record: Record, crashes: int) -> None:
    """Raise CrashedRepeatedly if the process died CRASHES_MAX times or more while it handled this event.

    Raise OutcomeUnknown instead if the event's effect was claimed and its handler says `on_unknown_outcome="never"`.
    Operators requeue a dead letter of CrashedRepeatedly without a check, and might send a mail twice.
    """
    if crashes < CRASHES_MAX:
        return
    begun = Effect.objects.filter(group=group.name, event_id=record.event_id, state=Effect.State.SENDING)
    if group.policy(record).on_unknown_outcome == "never" and begun.exists():
        raise OutcomeUnknown(DOUBT)
    raise CrashedRepeatedly(f"The process died {crashes} times while it handled this event")


def claim(group: Group, record: Record, *, ours: datetime | None, answered: bool) -> datetime:
    """Store that a record's effect is about to be called. Return the time of this claim, which identifies it.

    The caller commits this in a transaction of its own before the call. `ours`: the time of an earlier claim by this
    process, committed or not. `answered`: the effect was called, and this process has the answer. If the stored claim
    is that earlier one, or there is an answer, no crash is counted. Raises OutcomeUnknown if another process left a
    claim and the handler says `on_unknown_outcome="never"`. Raises CrashedRepeatedly after CRASHES_MAX such claims.
    """
    row = Effect.objects.filter(group=group.name, event_id=record.event_id).first()
    if row is None:
        now = clock.now()
        Effect.objects.create(group=group.name, event_id=record.event_id, state=Effect.State.SENDING, claimed_at=now)
        return now
    if row.state == Effect.State.SENDING:
        if answered or row.claimed_at == ours:
            return row.claimed_at
        if group.policy(record).on_unknown_outcome == "never":
            raise OutcomeUnknown(DOUBT)
        if row.claims >= CRASHES_MAX:  # each of these ended in a crash
            raise CrashedRepeatedly(f"The process died {row.claims} times in this effect")
        row.claims += 1
    row.state, row.claimed_at = Effect.State.SENDING, clock.now()
    row.save()
    return row.claimed_at


def ask(group: Group, record: Record) -> Callable[[], None]:
    """Call the effects of a record, outside any transaction.

    Return a function that records the answers, to be run in one.
    """
    answers: list[tuple[Handler, Any, Any]] = []
    for handler in group.of(record):
        event = open_event(record, handler.event_type)
        answers.append((handler, event, handler.call(event, idempotency_key=f"{group.name}:{record.event_id}")))

    def note() -> None:
        for handler, event, answer in answers:
            if handler.record is not None:
                handler.record(event, answer)
        close(group, record, Effect.State.DONE)

    return note


def close(group: Group, record: Record, state: Effect.State) -> None:
    """Store the state of an effect whose outcome is known."""
    Effect.objects.filter(group=group.name, event_id=record.event_id).update(state=state)
