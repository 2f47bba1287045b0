"""Where a log elsewhere and the outbox differ for good reasons: what is ahead of its row, and what the log holds twice.

The relay writes down where an event lies once the log has acknowledged it, and a group may be faster. For that moment
the delivery audit finds more done than was sent: no more than there are unsent rows, and that is no violation.

What was sent again, since nobody knew whether it had arrived, the inbox keeps from being handled twice. But an event
that a group ignores leaves no row to know it by, and is counted as often as the log holds it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from eventbus import backends
from eventbus.models import OutboxRow, Progress, TopicLog


class EarlyHandling:
    """How many events of each topic may be ahead of their rows, of which each group makes use once."""

    def __init__(self, unsent: Mapping[str, int]) -> None:
        self._room = Counter({} if backends.current().in_process else unsent)
        self._used: Counter[tuple[str, str]] = Counter()

    def explains(self, group: str, topic: str, more: int) -> bool:
        """Whether so many more that are done than were sent may be early ones."""
        if not 0 < more <= self._room[topic] - self._used[group, topic]:
            return False
        self._used[group, topic] += more
        return True

    def among(self, topic: str, more: int) -> int:
        """How many of the unsent are early, when so many more are done than were sent."""
        return more if 0 < more <= self._room[topic] else 0


def not_early() -> Q:
    """Rows of parked events and dead letters whose event the outbox does not still call unsent, or sends again."""
    if backends.current().in_process:
        return Q()
    unsent = OutboxRow.objects.filter(event_id=OuterRef("event_id"), offset__isnull=True, rejected="")
    refilled = TopicLog.objects.filter(refill_to__gt=0).values("topic")
    return ~Q(Exists(unsent)) & ~Q(topic__in=refilled)


def not_twice(rows: QuerySet[Any]) -> Q:
    """Those of these parked events and dead letters whose event does not lie further on in the log as well.

    Of what was appended again the outbox knows the last place, and a group read the first. No index finds an event by
    its id, so it is looked for only where there is somebody to look for.
    """
    if backends.current().in_process or not rows.exists():
        return Q()
    same = {name: OuterRef(name) for name in ("topic", "partition", "event_id")}
    return ~Q(Exists(OutboxRow.objects.filter(**same, offset__gt=OuterRef("offset"))))


def ignored_once(row: Progress, *, passed: int, nowhere: int, noted: int = 0) -> int:
    """How many events were ignored whose rows are there, each counted once, but for those `noted` in the inbox.

    Of the group's rows `passed` lie behind its offset, and `nowhere` of these are in no other place. What it passed
    beyond them and beyond those pruned of this log are repeats (or others' records): as many may have been counted too
    often.
    """
    counted = row.ignored - row.pruned_ignored - noted
    beyond = max(0, row.offset - row.start - (row.pruned - row.pruned_before) - passed)
    return max(counted - beyond, min(counted, nowhere))
