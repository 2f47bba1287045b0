"""Skips that an operator first sees counted. A yes skips exactly that, in one transaction.

`freeze` stores the stretches of a skip with their numbers. `begin` counts again under the lock of the group's progress:
if a number has changed, it stores the new ones and refuses, so that the page asks again. A skip is a bulk run, so that
its undo is that of any bulk discard.
"""

import msgspec
from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from eventbus import backends, clock, registry
from eventbus.backends.base import TopicPartition
from eventbus.errors import LogUnavailable, is_contention
from eventbus.models import WHO_CHARACTERS_MAX, BulkRun, ConsumerGroup, OperatorAction, TopicLog
from eventbus.progress import log_generations
from eventbus.recovery import divergence
from eventbus.registry import Group
from eventbus.repairs import skipping
from eventbus.repairs.skipping import SkipFilter, SkipRefused, Stretch
from eventbus.selections import bulk_runs

_FROZEN, _DONE = BulkRun.State.FROZEN, BulkRun.State.DONE


def freeze(wanted: SkipFilter, who: str) -> BulkRun:
    """Store a skip with its numbers. It waits for a yes. Raises SkipRefused."""
    bulk_runs.forget_old()
    found = [one for one in wanted.stretches() if one.events]
    if not found:
        raise SkipRefused(_("Nothing to skip: no event that this group would handle waits there."))
    return BulkRun.objects.create(
        action=BulkRun.Action.SKIP,
        who=who[:WHO_CHARACTERS_MAX],
        shown_at=clock.now(),
        group=wanted.group.name,
        **_columns(found),
    )


def is_paused(group: str) -> bool:
    """Return True while an operator has the group stand still, so that its waiting events can be skipped."""
    return ConsumerGroup.objects.filter(name=group, paused_at__isnull=False).exists()


def stretches(run: BulkRun) -> list[Stretch]:
    """Return the stretches of a skip, as they were shown last; none of another bulk run."""
    return msgspec.json.decode(run.counted, type=list[Stretch]) if run.counted else []


def begin(run: BulkRun, who: str) -> None:
    """Skip what a frozen run has counted. Raises SkipRefused, also if a number has changed."""
    group = registry.groups.get(run.group)
    if group is None:
        raise SkipRefused(_("Group %(group)s is not in the code: deploy it first.") % {"group": run.group})
    logs = _known_logs(group)
    try:
        with transaction.atomic():
            is_same = _skip(group, run, who, logs)
    except DatabaseError as error:
        if not is_contention(error):
            raise
        raise SkipRefused(_("A worker is busy in one of these partitions. Try again in a moment.")) from error
    run.refresh_from_db()
    if not is_same:
        raise SkipRefused(_("The numbers have changed since they were shown. Look again."))


def _known_logs(group: Group) -> dict[str, str]:
    """Return the log of each topic that the group reads. Raises SkipRefused if one is not the known one, or unknown."""
    known = dict(TopicLog.objects.filter(topic__in=group.topics).values_list("topic", "generation"))
    try:
        there = backends.current().generations(group.topics)
    except LogUnavailable as error:
        raise SkipRefused(str(error)) from error
    if any(there.get(topic) != log for topic, log in known.items()):
        raise SkipRefused(_changing())
    return known


def _skip(group: Group, run: BulkRun, who: str, logs: dict[str, str]) -> bool:
    """Skip what was counted, in the caller's transaction. Return False if the numbers differ, and store the new ones.

    The logs are locked first, then the progress, then the group: workers lock in the same order.
    """
    frozen = BulkRun.objects.select_for_update().filter(pk=run.pk, state=_FROZEN, action=BulkRun.Action.SKIP)
    row = frozen.filter(who=who[:WHO_CHARACTERS_MAX]).first()
    if row is None:
        raise SkipRefused(_("This skip has begun already, or is another operator’s."))
    counted = stretches(row)
    log_generations.lock(group.topics)
    rows = skipping.lock(group, [one.topic_partition for one in counted])
    locked = {TopicPartition(one.topic, one.partition): one for one in rows}
    _refuse_unless_still(group, logs)
    there = [one for one in counted if one.topic_partition in locked]
    found = [skipping.stretch(group, locked[one.topic_partition], one.end) for one in there]
    if found != counted:
        BulkRun.objects.filter(pk=run.pk).update(**_columns(found))
        return False
    decision = _note(row, counted)
    for one in counted:
        skipping.skip(group, locked[one.topic_partition], one, decision, row.who)
    now = clock.now()
    done = {"state": _DONE, "decision": decision, "asked": row.total, "began_at": now, "ended_at": now}
    BulkRun.objects.filter(pk=run.pk).update(**done)
    return True


def _refuse_unless_still(group: Group, logs: dict[str, str]) -> None:
    """Raise SkipRefused unless the group is paused, and its offsets belong to logs that are whole."""
    paused = ConsumerGroup.objects.select_for_update().filter(name=group.name, paused_at__isnull=False)
    if not paused.exists():
        raise SkipRefused(_("Pause group %(group)s first, so that the numbers stay.") % {"group": group.name})
    if divergence.stands():
        raise SkipRefused(_("The database was restored: repair that first, with manage.py eventbus restored."))
    known = TopicLog.objects.filter(topic__in=group.topics)
    if known.filter(refill_to__gt=0).exists() or dict(known.values_list("topic", "generation")) != logs:
        raise SkipRefused(_changing())


def _changing() -> str:
    return _("The log of a topic is filled again. Wait until that is done.")


def _note(run: BulkRun, counted: list[Stretch]) -> int:
    """Record the skip in the audit trail. Return the number of the decision."""
    action = OperatorAction.objects.create(
        at=clock.now(),
        who=run.who,
        action=OperatorAction.Action.SKIP,
        group=run.group,
        error="; ".join(map(str, counted)),
        count=run.total,
        selection=run.pk,
    )
    OperatorAction.objects.filter(pk=action.pk).update(decision=action.pk)
    return action.pk


def _columns(found: list[Stretch]) -> dict[str, object]:
    return {"total": sum(one.events for one in found), "counted": msgspec.json.encode(found).decode()}
