"""Close a consumer group that is gone for good, when an operator says so.

Until then, events ahead of it are not pruned.
"""

from collections.abc import Mapping

import msgspec
from django.db.models import Max, Q, QuerySet

from eventbus import clock, failpoints, registry
from eventbus.audit import passed_events
from eventbus.errors import BusError
from eventbus.models import (
    WHO_CHARACTERS_MAX,
    ConsumerGroup,
    DeadLetter,
    Effect,
    IgnoredType,
    InboxRow,
    OperatorAction,
    OutboxRow,
    ParkedEvent,
    ParkedKey,
    Progress,
    ReplayRun,
    UntrustedRecord,
)
from eventbus.progress import replay_runs

_Handled = type[InboxRow] | type[Effect]
HANDLED: tuple[_Handled, ...] = (InboxRow, Effect)  # the tables of what a group has handled
BATCH_ROWS = 1_000  # rows per transaction, so that others wait only briefly


class RemovalRefused(BusError):
    """The group is not closed; the text says why."""


class Unknown(BusError):
    """No such group, or it has never read this topic."""


class Closed(msgspec.Struct, frozen=True):
    """The number of the closed group's events that were pending, parked, dead or lost for it."""

    group: str
    topic: str
    pending: int
    parked: int
    dead: int
    lost: int


def close(name: str, topic: str = "", *, force: bool = False, who: str) -> Closed:
    """Delete a group, or its progress in one topic. From then on nothing is kept for it.

    Raises RemovalRefused and Unknown. A group with parked, dead or lost events is refused, unless `force` discards
    these. A group of this name that is used later begins where its declaration says, as a new one. If the call fails in
    the middle, it can be repeated.
    """
    _refuse_in_code(name, topic)
    group = ConsumerGroup.objects.filter(name=name)
    if not group.exists():
        raise Unknown(f"There is no group {name}. See manage.py eventbus status.")
    with failpoints.atomic("close"):
        closed, last = _close(name, topic, force=force, who=who)
    _forget_handled(name, topic, last)
    with failpoints.atomic("close.last"):
        list(group.select_for_update())  # so that no process makes it anew meanwhile
        if not Progress.objects.filter(group=name).exists():
            ReplayRun.objects.filter(group=name).delete()
            group.delete()
    return closed


def _refuse_in_code(name: str, topic: str) -> None:
    group = registry.groups.get(name)
    if group is not None and (not topic or topic in group.topics):
        raise RemovalRefused(
            f"Group {name} is in the code{f' and reads {topic}' if topic else ''}: it would begin anew at once. Take "
            "its handlers out, deploy that, then close it."
        )


def _close(name: str, topic: str, *, force: bool, who: str) -> tuple[Closed, dict[_Handled, int]]:
    """Delete the group's progress and failures. Return by table the id of the last row that is of this group.

    Later rows are of a group of the same name that a process makes anew.
    """
    its = Q(group=name, topic=topic) if topic else Q(group=name)
    progress = list(Progress.objects.filter(its).select_for_update().order_by("id"))
    if topic and not progress:
        raise Unknown(f"Group {name} has never read {topic}. See manage.py eventbus status.")
    closed = Closed(
        group=name,
        topic=topic,
        pending=sum(_ahead(row).count() for row in progress),
        parked=ParkedEvent.objects.filter(its).count(),
        dead=DeadLetter.objects.filter(its, state=DeadLetter.State.OPEN).count(),
        lost=sum(passed_events.count_lost(row) for row in progress),
    )
    lost = f"{closed.parked} parked events, {closed.dead} dead letters and {closed.lost} lost events"
    if closed.parked + closed.dead + closed.lost and not force:
        raise RemovalRefused(f"Group {name} has {lost}. To let them go with it: --force")
    for table in (ParkedEvent, ParkedKey, DeadLetter, IgnoredType, UntrustedRecord, Progress):
        table._default_manager.filter(its).delete()
    if topic:  # the runs of a deleted group are deleted with it
        replay_runs.end(topic, f"Group {name} was closed for {topic}: begin another without it", group=name)
    OperatorAction.objects.create(
        at=clock.now(),
        who=who[:WHO_CHARACTERS_MAX],
        action=OperatorAction.Action.CLOSE,
        group=name,
        error=f"{topic or 'all topics'}: {closed.pending} pending, {lost} let go",
    )
    rows = {table: table._default_manager.filter(group=name) for table in HANDLED}
    return closed, {table: its.aggregate(last=Max("id"))["last"] or 0 for table, its in rows.items()}


def _ahead(row: Progress) -> QuerySet[OutboxRow]:
    return OutboxRow.objects.filter(topic=row.topic, partition=row.partition, offset__gte=row.offset)


def _forget_handled(name: str, topic: str, last: Mapping[_Handled, int]) -> None:
    """Delete the group's rows in inbox and effects.

    They hold no topic, so one topic's rows are found through the outbox.
    """
    for table in HANDLED:
        its = table._default_manager.filter(group=name, id__lte=last[table])
        begin = 0
        while begin >= 0:
            rows = OutboxRow.objects.filter(topic=topic) if topic else its
            found = list(rows.filter(id__gte=begin).order_by("id").values_list("id", "event_id")[:BATCH_ROWS])
            with failpoints.atomic("close.forget"):
                its.filter(event_id__in=[event_id for _, event_id in found]).delete()
            begin = found[-1][0] + 1 if len(found) == BATCH_ROWS else -1
