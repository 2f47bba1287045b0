"""Tell what each group has made of events: handled, failed, waiting, or expected and not there yet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from eventbus import registry
from eventbus.models import ConsumerGroup, DeadLetter, Effect, InboxRow, OutboxRow, ParkedEvent, Progress
from eventbus.progress.inbox import LIVE

State = Literal["handled", "expected", "retrying", "waits", "dead", "discarded", "passed"]


class Handling(msgspec.Struct, frozen=True):
    """One group's handling of one event.

    `state`:
    - "handled": it was handled `at` this time, `seconds` after it was published.
    - "expected": the group has a handler for it and has not reached it yet.
    - "retrying": it failed, and is tried again `at` this time. `attempts` have failed.
    - "waits": it waits behind an earlier event of its key that failed.
    - "dead", "discarded": it failed for good `at` this time; an operator has discarded it or may requeue it.
    - "passed": the group went by without handling it, for instance because the group is younger than the event.
    """

    group: str
    state: State
    at: datetime | None = None
    seconds: float | None = None
    attempts: int = 0
    error: str = ""
    effect: str = ""  # the state of the group's effect, such as "done"; "" if it has none


class Handlings:
    """All groups' handlings of some events, read with one query for each table."""

    def __init__(self, events: Sequence[OutboxRow]) -> None:
        which = {
            "group__in": [*registry.groups, *ConsumerGroup.objects.values_list("name", flat=True)],
            "event_id__in": [event.event_id for event in events],
        }
        self._inbox = _by_event(InboxRow.objects.filter(**which, replay=LIVE))
        self._parked = _by_event(ParkedEvent.objects.filter(**which).select_related("parked_key"))
        self._dead = _by_event(DeadLetter.objects.filter(**which))
        self._effects = _by_event(Effect.objects.filter(**which))
        self._heads = _heads(row.parked_key_id for rows in self._parked.values() for row in rows.values())
        progress = Progress.objects.filter(topic__in={event.topic for event in events})
        self._progress = {(row.group, row.topic, row.partition): row for row in progress}

    def of(self, event: OutboxRow) -> list[Handling]:
        """Return what each group has made of the event: those that have a handler for it, and those that had one."""
        return list(self._of(event))

    def _of(self, event: OutboxRow) -> Iterator[Handling]:
        known = {name for name, group in registry.groups.items() if event.type in group.handlers}
        tables = (self._inbox, self._parked, self._dead)
        for group in sorted(known.union(*(rows.get(event.event_id, {}) for rows in tables))):
            effect = self._effects.get(event.event_id, {}).get(group)
            found = self._one(group, event)
            yield msgspec.structs.replace(found, effect=effect.state) if effect else found

    def _one(self, group: str, event: OutboxRow) -> Handling:
        if letter := self._dead.get(event.event_id, {}).get(group):
            state: State = "dead" if letter.state == DeadLetter.State.OPEN else "discarded"
            error = f"{letter.error_class}: {letter.error}" if letter.error_class else letter.error
            return Handling(group, state, letter.discarded_at or letter.died_at, None, letter.attempts, error)
        if parked := self._parked.get(event.event_id, {}).get(group):
            key = parked.parked_key
            if self._heads[key.pk] != parked.pk:
                return Handling(group, "waits", key.parked_at)
            return Handling(group, "retrying", key.due_at, None, key.attempts, key.error)
        if done := self._inbox.get(event.event_id, {}).get(group):
            if done.handled_at is None:
                return Handling(group, "passed")
            took = max(0.0, (done.handled_at - event.created_at).total_seconds())
            return Handling(group, "handled", done.handled_at, took)
        return Handling(group, "passed" if self._has_passed(group, event) else "expected")

    def _has_passed(self, group: str, event: OutboxRow) -> bool:
        progress = self._progress.get((group, event.topic, event.partition))  # type: ignore[arg-type]  # None: not sent
        return progress is not None and event.offset is not None and event.offset < progress.offset


def _by_event(rows: Iterable[Any]) -> Mapping[UUID, Mapping[str, Any]]:
    """Return the rows by event, and by group."""
    found: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row.event_id, {})[row.group] = row
    return found


def _heads(parked_keys: Iterable[int]) -> dict[int, int]:
    """Return by parked key the id of its head: the event that failed."""
    rows = ParkedEvent.objects.filter(parked_key__in=set(parked_keys)).order_by("-offset", "-id")
    return dict(rows.values_list("parked_key", "id"))  # the last that is written is the first of the key
