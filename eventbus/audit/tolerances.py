"""Differences between log and outbox that the audit tolerates: events ahead of their rows, and repeats in the log.

The relay writes an event's offset down once the log has acknowledged it, and a group may be faster. For that moment the
delivery audit finds more done than was sent. Up to the number of unsent rows, that is no violation.

An event whose arrival was uncertain is sent again, and the inbox keeps it from being handled twice. But an event that a
group ignores leaves no row to know it by. It is counted as often as the log holds it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from eventbus import backends
from eventbus.models import OutboxRow, Progress, TopicLog


class EarlyHandling:
    """The number of events of each topic that may be ahead of their rows. Each group makes use of it once."""

    def __init__(self, unsent: Mapping[str, int]) -> None:
        self._room = Counter({} if backends.current().in_process else unsent)
        self._used: Counter[tuple[str, str]] = Counter()

    def explains(self, group: str, topic: str, more: int) -> bool:
        """Return True if so many more that are done than were sent may be early ones. Each use is deducted."""
        if not 0 < more <= self._room[topic] - self._used[group, topic]:
            return False
        self._used[group, topic] += more
        return True

    def among(self, topic: str, more: int) -> int:
        """Return how many of the unsent are early, when so many more are done than were sent."""
        return more if 0 < more <= self._room[topic] else 0


def not_early() -> Q:
    """Return the filter for parked and dead events whose event is not unsent, and not being sent again."""
    if backends.current().in_process:
        return Q()
    unsent = OutboxRow.objects.filter(event_id=OuterRef("event_id"), offset__isnull=True, rejected="")
    refilled = TopicLog.objects.filter(refill_to__gt=0).values("topic")
    return ~Q(Exists(unsent)) & ~Q(topic__in=refilled)


def not_twice(rows: QuerySet[Any]) -> Q:
    """Return the filter for parked and dead events whose event does not lie further on in the log as well.

    The outbox has the last offset of an event that was appended again, and a group read the first. No index finds an
    event by its id, so the query runs only if there are such rows.
    """
    if backends.current().in_process or not rows.exists():
        return Q()
    same = {name: OuterRef(name) for name in ("topic", "partition", "event_id")}
    return ~Q(Exists(OutboxRow.objects.filter(**same, offset__gt=OuterRef("offset"))))


def ignored_once(row: Progress, *, passed: int, nowhere: int, noted: int = 0) -> int:
    """Count ignored events whose rows are there, each once, without those `noted` in the inbox.

    Of the group's rows `passed` lie before its offset, and `nowhere` of these have no state. It may have passed offsets
    beyond these and beyond those pruned of this log. Those are repeats (or others' records), and as many may have been
    counted too often.
    """
    counted = row.ignored - row.pruned_ignored - noted
    beyond = max(0, row.offset - row.start - (row.pruned - row.pruned_before) - passed)
    return max(counted - beyond, min(counted, nowhere))
