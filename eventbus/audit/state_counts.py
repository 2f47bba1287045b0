"""Count each group's events by their state, with one query, for the delivery audit."""

from collections import Counter
from collections.abc import Iterable
from enum import IntFlag
from uuid import UUID

import msgspec
from django.db import connection

from eventbus import registry
from eventbus.audit.tolerances import ignored_once
from eventbus.models import DeadLetter, Progress
from eventbus.progress.inbox import LIVE

EXAMPLES_MAX = 3  # event ids named for a violation: enough to begin looking


class State(IntFlag):
    """A state of an event for a group. PASSED only says that the group's offset is beyond the event's."""

    PASSED = 1
    HANDLED = 2
    PARKED = 4
    DEAD = 8
    SKIPPED = 16
    DISCARDED = 32
    IGNORED = 64


NO_STATE = State(0)
# One result row for each progress row and each event from the group's start on. SQLite and PostgreSQL both use the
# outbox's index by offset, and the unique indexes that begin with the group.
_STATED = f"""
    SELECT progress.id AS progress, event.event_id, event.type, event.log_offset,
        CASE WHEN event.log_offset < progress.log_offset THEN {State.PASSED:d} ELSE 0 END
        + CASE WHEN inbox.id IS NULL THEN 0 WHEN inbox.handled_at IS NULL THEN {State.IGNORED:d}
            ELSE {State.HANDLED:d} END
        + CASE WHEN parked.id IS NULL THEN 0 ELSE {State.PARKED:d} END
        + CASE WHEN letter.id IS NULL THEN 0 WHEN letter.state = '{DeadLetter.State.DISCARDED}' THEN {State.DISCARDED:d}
            WHEN letter.parks THEN {State.DEAD:d} ELSE {State.SKIPPED:d} END AS state
    FROM eventbus_progress AS progress
    JOIN eventbus_outbox AS event ON event.topic = progress.topic AND event.partition = progress.partition
        AND event.log_offset >= progress.start
    LEFT JOIN eventbus_inbox AS inbox ON inbox."group" = progress."group" AND inbox.event_id = event.event_id
        AND inbox.replay = {LIVE}
    LEFT JOIN eventbus_parkedevent AS parked ON parked."group" = progress."group" AND parked.event_id = event.event_id
    LEFT JOIN eventbus_deadletter AS letter ON letter."group" = progress."group" AND letter.event_id = event.event_id
"""
_COUNTED = f"SELECT progress, state, type, count(*) FROM ({_STATED}) AS stated GROUP BY progress, state, type"


class Tally(msgspec.Struct):
    """The number of a partition's events in each combination of states, for the group of a progress row.

    `nowhere_by_type`: of the passed events without another state, the number by event type.
    """

    row: Progress
    states: Counter[int]
    nowhere_by_type: Counter[str]

    def count(self, state: State) -> int:
        """Count the events in this state, whatever others they are in."""
        return sum(count for found, count in self.states.items() if found & state)

    @property
    def nowhere(self) -> int:
        """The number of passed events without another state: only the outbox has a row of them."""
        return self.states[State.PASSED]

    @property
    def ignored_with_rows(self) -> int:
        """The number of ignored events among those without another state."""
        noted = self.count(State.IGNORED)
        return ignored_once(self.row, passed=self.count(State.PASSED), nowhere=self.nowhere, noted=noted)

    @property
    def lost(self) -> int:
        """The number of lost events: those without another state, less the ignored ones."""
        return max(0, self.nowhere - self.ignored_with_rows)


def tallies() -> list[Tally]:
    """Return the tally of every progress row, by group, topic and partition."""
    rows = Progress.objects.order_by("group", "topic", "partition")
    found = {row.pk: Tally(row, Counter(), Counter()) for row in rows}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED)
        for progress, state, type_, count in cursor.fetchall():
            found[progress].states[state] += count
            if state == State.PASSED:
                found[progress].nowhere_by_type[type_] += count
    return list(found.values())


def examples(row: Progress, states: Iterable[int]) -> list[UUID]:
    """Return the ids of some events in these states, EXAMPLES_MAX at most.

    Events of types that the group handles today come first. A type that it does not handle is ignored on purpose, so
    its events are poor examples of lost ones.
    """
    values = ", ".join(str(int(state)) for state in states)
    group = registry.groups.get(row.group)
    types = list(group.handlers) if group else []
    known = f"CASE WHEN type IN ({', '.join(['%s'] * len(types))}) THEN 0 ELSE 1 END, " if types else ""
    statement = f"""
        SELECT event_id FROM ({_STATED} WHERE progress.id = %s) AS stated WHERE state IN ({values})
        ORDER BY {known}log_offset LIMIT {EXAMPLES_MAX}
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [row.pk, *types])
        return [found if isinstance(found, UUID) else UUID(found) for (found,) in cursor.fetchall()]
