"""Tell what each group has made of events: handled, failed, waiting, or expected and not there yet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from django.db.models import Exists, OuterRef

from eventbus import registry
from eventbus.errors import OutcomeUnknown
from eventbus.failures.dead_letter_requests import SKIPPED
from eventbus.models import ConsumerGroup, DeadLetter, Effect, InboxRow, OutboxRow, ParkedEvent, ParkedKey, Progress
from eventbus.progress.inbox import LIVE

State = Literal["handled", "expected", "retrying", "waits", "dead", "discarded", "skipped", "passed"]


class Handling(msgspec.Struct, frozen=True):
    """One group's handling of one event.

    `state`:
    - "handled": it was handled `at` this time, `seconds` after it was published.
    - "expected": the group has a handler for it and has not handled it yet.
    - "retrying": `attempts` have failed, and it is tried again `at` this time.
    - "waits": it waits behind an earlier event of its key that failed.
    - "dead", "discarded": it failed for good `at` this time. An operator must decide, or has discarded it.
    - "skipped": an operator had the group skip it `at` this time, before it was tried.
    - "passed": the group went on without handling it, for instance because the group is younger than the event.
    """

    group: str
    state: State
    at: datetime | None = None
    seconds: float | None = None
    attempts: int = 0
    error: str = ""
    effect: str = ""  # the state of the group's effect, such as "done" or "unknown"; "" without one
    effect_seconds: float | None = None  # from the call of a done effect until its answer was recorded


class Handlings:
    """All groups' handlings of some events, read with one query for each table."""

    def __init__(self, events: Sequence[OutboxRow]) -> None:
        which = {
            "group__in": [*registry.groups, *ConsumerGroup.objects.values_list("name", flat=True)],
            "event_id__in": [event.event_id for event in events],
        }
        earlier = ParkedEvent.objects.filter(parked_key=OuterRef("parked_key"), offset__lt=OuterRef("offset"))
        parked = ParkedEvent.objects.filter(**which).annotate(is_behind=Exists(earlier)).select_related("parked_key")
        self._inbox = _by_event(InboxRow.objects.filter(**which, replay=LIVE))
        self._parked = _by_event(parked.defer("payload", "headers"))
        self._dead = _by_event(DeadLetter.objects.filter(**which).defer("payload", "headers", "traceback"))
        self._effects = _by_event(Effect.objects.filter(**which))
        progress = Progress.objects.filter(topic__in={event.topic for event in events})
        self._progress = {(row.group, row.topic, row.partition): row for row in progress}

    def of(self, event: OutboxRow) -> list[Handling]:
        """Return the handlings of an event: of the groups that have a handler for it, and of those that had one."""
        return list(self._of(event))

    def _of(self, event: OutboxRow) -> Iterator[Handling]:
        known = {name for name, group in registry.groups.items() if event.type in group.handlers}
        tables = (self._inbox, self._parked, self._dead)
        for group in sorted(known.union(*(rows.get(event.event_id, {}) for rows in tables))):
            effect = self._effects.get(event.event_id, {}).get(group)
            found = self._one(group, event)
            yield _with_effect(found, effect) if effect else found

    def _one(self, group: str, event: OutboxRow) -> Handling:
        if letter := self._dead.get(event.event_id, {}).get(group):
            if letter.error_class == SKIPPED:
                return Handling(group, "skipped", letter.discarded_at)
            state: State = "dead" if letter.state == DeadLetter.State.OPEN else "discarded"
            error = f"{letter.error_class}: {letter.error}" if letter.error_class else letter.error
            return Handling(group, state, letter.discarded_at or letter.died_at, None, letter.attempts, error)
        if parked := self._parked.get(event.event_id, {}).get(group):
            return _parked(group, parked)
        if done := self._inbox.get(event.event_id, {}).get(group):
            if done.handled_at is None:
                return Handling(group, "passed")
            took = max(0.0, (done.handled_at - event.created_at).total_seconds())
            return Handling(group, "handled", done.handled_at, took)
        passed = event.withdrawn_at is not None or self._has_passed(group, event)
        return Handling(group, "passed" if passed else "expected")

    def _has_passed(self, group: str, event: OutboxRow) -> bool:
        progress = self._progress.get((group, event.topic, event.partition))  # type: ignore[arg-type]  # None: not sent
        return progress is not None and event.offset is not None and event.offset < progress.offset


def _with_effect(found: Handling, effect: Effect) -> Handling:
    ran = None
    if found.state == "handled" and found.at is not None:
        ran = max(0.0, (found.at - effect.claimed_at).total_seconds())
    is_unknown = found.state in ("dead", "discarded") and found.error.startswith(OutcomeUnknown.__name__)
    state = "unknown" if is_unknown else effect.state
    return msgspec.structs.replace(found, effect=state, effect_seconds=ran)


def _parked(group: str, event: Any) -> Handling:
    key = event.parked_key
    if event.is_behind or key.state == ParkedKey.State.DEAD:  # the head of a dead key is its dead letter
        return Handling(group, "waits", key.parked_at)
    if not key.attempts and not key.error:
        return Handling(group, "expected")
    return Handling(group, "retrying", key.due_at, None, key.attempts, key.error)


def _by_event(rows: Iterable[Any]) -> Mapping[UUID, Mapping[str, Any]]:
    """Return the rows by event, and by group."""
    found: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row.event_id, {})[row.group] = row
    return found
