"""Events that a log did not show a group: found when the group reads on behind them, and lost until they are repaired.

A log gives its records one after another. Where a group is given one that lies farther on, something is missing: the
brokers' retention was shorter than the group's lag, or somebody deleted records. The outbox tells which of ours it was.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from eventbus import clock
from eventbus.events import Record
from eventbus.inbox import LIVE
from eventbus.models import DeadLetter, InboxRow, LogGap, OutboxRow, ParkedEvent, Progress

logger = logging.getLogger(__name__)

_HERE = {name: OuterRef(name) for name in ("topic", "partition")}


def note(progress: Progress, records: Sequence[Record]) -> None:
    """Write down the stretches before and between these records that the group has not seen, where ours lie there.

    In the transaction that passes them. What a relay has still to write down cannot lie there: it sends that again.
    """
    if records[-1].position + 1 - progress.position == len(records):
        return  # each lies behind the one before it, as nearly always
    for begin, end in _between(progress.position, records):
        count = nowhere(progress.group, _rows(progress, begin, end)).count()
        if count:
            gap = LogGap.objects.create(
                group=progress.group,
                topic=progress.topic,
                partition=progress.partition,
                begin=begin,
                end=end,
                noted_at=clock.now(),
            )
            transaction.on_commit(partial(_tell, gap, count), robust=True)


def _tell(gap: LogGap, count: int) -> None:
    logger.error(
        "Group %s lost %s events of %s/%s: the log had let go of them before the group came to them. "
        "To have them handled: manage.py eventbus redeliver %s --lost",
        gap.group,
        count,
        gap.topic,
        gap.partition,
        gap.group,
    )


def _between(position: int, records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    for record in records:
        if record.position > position:
            yield position, record.position
        position = max(position, record.position + 1)


def _rows(progress: Progress, begin: int, end: int) -> QuerySet[OutboxRow]:
    place = {"topic": progress.topic, "partition": progress.partition}
    return OutboxRow.objects.filter(**place, position__gte=max(begin, progress.start), position__lt=end)


def nowhere(group: str, events: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
    """Those of these events that no row tells of for a group: not handled, not passed over, not parked, not dead."""
    return _nowhere(group, events)


def _nowhere(group: str | OuterRef, events: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
    mine = {"group": group, "event_id": OuterRef("event_id")}
    for table in (InboxRow.objects.filter(replay=LIVE), ParkedEvent.objects.all(), DeadLetter.objects.all()):
        events = events.filter(~Exists(table.filter(**mine)))
    return events


def unseen(group: str, events: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
    """Those of these events that lie in a gap of the group."""
    return events.filter(Exists(_around(group)))


def seen(group: str, events: QuerySet[OutboxRow]) -> QuerySet[OutboxRow]:
    """Those that lie in none."""
    return events.filter(~Exists(_around(group)))


def _around(group: str) -> QuerySet[LogGap]:
    place = {"begin__lte": OuterRef("position"), "end__gt": OuterRef("position")}
    return LogGap.objects.filter(group=group, **_HERE, **place)


def forget(topic: str) -> None:
    """Gaps in a log that is gone mean nothing in the one that was made anew."""
    LogGap.objects.filter(topic=topic).delete()


def repaired() -> QuerySet[LogGap]:
    """Gaps in which nothing is lost any more."""
    begun = Progress.objects.filter(group=OuterRef(OuterRef("group")), **_HERE, start__lte=OuterRef("position"))
    place = {"position__gte": OuterRef("begin"), "position__lt": OuterRef("end")}
    rows = OutboxRow.objects.filter(Exists(begun), **_HERE, **place)
    return LogGap.objects.filter(~Exists(_nowhere(OuterRef(OuterRef("group")), rows)))


def loses(progress: Progress, row_ids: Sequence[int]) -> bool:
    """Whether one of these outbox rows is lost for the group: to take it away would hide that for ever."""
    if not LogGap.objects.filter(group=progress.group, topic=progress.topic, partition=progress.partition).exists():
        return False
    rows = OutboxRow.objects.filter(id__in=row_ids, position__gte=progress.start)
    return nowhere(progress.group, unseen(progress.group, rows)).exists()
