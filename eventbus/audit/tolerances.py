"""Differences between log and outbox that the audit tolerates: events handled early, and repeats in the log.

The relay stores an event's offset once the log has acknowledged the event. A group may handle the event before that.
Until then the delivery audit finds more events handled than sent. Up to the number of unsent rows, that is no
violation.

If the relay cannot know that an event reached the log, it sends the event again. The inbox keeps the group from
handling the repeat. But most events that a group ignores leave no inbox row. So each of them is counted as often as the
log has it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from eventbus import backends
from eventbus.models import OutboxRow, Progress, TopicLog


class EarlyHandling:
    """The unsent events of each topic, any of which a group may have handled early. Each counts once for each group."""

    def __init__(self, unsent: Mapping[str, int]) -> None:
        self._room = Counter({} if backends.current().in_process else unsent)
        self._used: Counter[tuple[str, str]] = Counter()

    def explains(self, group: str, topic: str, more: int) -> bool:
        """Return True if early events can explain that a group has handled `more` events than were sent.

        These events are then used up for the group.
        """
        if not 0 < more <= self._room[topic] - self._used[group, topic]:
            return False
        self._used[group, topic] += more
        return True

    def among(self, topic: str, more: int) -> int:
        """Return how many of the topic's unsent events are early, if a group handled `more` events than were sent."""
        return more if 0 < more <= self._room[topic] else 0


def not_early() -> Q:
    """Return the filter for parked events and dead letters that are not early.

    An event is early while its outbox row is unsent, or while its topic's log is filled again.
    """
    if backends.current().in_process:
        return Q()
    unsent = OutboxRow.objects.filter(event_id=OuterRef("event_id"), offset__isnull=True, rejected="")
    refilled = TopicLog.objects.filter(refill_to__gt=0).values("topic")
    return ~Q(Exists(unsent)) & ~Q(topic__in=refilled)


def not_twice(rows: QuerySet[Any]) -> Q:
    """Return the filter that leaves out parked events and dead letters whose event comes again later in the log.

    If an event was appended twice, the outbox has the last offset, and the group read the first. `rows`: the parked
    events or dead letters to check. The outbox has no index by event id, so it is not searched if `rows` is empty.
    """
    if backends.current().in_process or not rows.exists():
        return Q()
    same = {name: OuterRef(name) for name in ("topic", "partition", "event_id")}
    return ~Q(Exists(OutboxRow.objects.filter(**same, offset__gt=OuterRef("offset"))))


def ignored_once(row: Progress, *, passed: int, nowhere: int, noted: int = 0) -> int:
    """Count the ignored events, each once, that are still in the outbox and have no inbox row.

    `passed`: outbox rows that the group has passed since its start. `nowhere`: those of them without another state.
    `noted`: events that the inbox holds as ignored. The group may have passed more offsets of this log than the outbox
    has and had rows. The others are repeats, or other programs' records. As many ignored events may have been counted
    twice.
    """
    counted = row.ignored - row.pruned_ignored - noted
    beyond = max(0, row.offset - row.start - (row.pruned - row.pruned_before) - passed)
    return max(counted - beyond, min(counted, nowhere))
