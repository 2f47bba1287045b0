"""Replays that an operator first sees counted. A yes lets exactly that begin, in the background.

`freeze` stores the offsets of a run with its numbers by partition. `begin` counts again: if a number has changed, it
stores the new ones and refuses, so that the page asks again. A group has one run in the background at a time.
"""

from datetime import timedelta

import msgspec
from django.db import transaction
from django.db.models import Count, Min, Q
from django.utils.translation import gettext as _

from eventbus import clock
from eventbus.backends.base import TopicPartition
from eventbus.models import WHO_CHARACTERS_MAX, ConsumerGroup, OperatorAction, ReplayRun
from eventbus.repairs import replay
from eventbus.repairs.replay_filter import ReplayFilter, ReplayRefused, Spans, set_aside

FORGOTTEN_DAYS = 1  # a dry run to which nobody said yes is deleted after so long

_State = ReplayRun.State


class PartitionCount(msgspec.Struct, frozen=True):
    """The events of a run in one partition. `first`: the offset of the first one to handle, None without any.

    `left_out`: events that are parked or dead for the group.
    """

    topic: str
    partition: int
    end: int
    events: int
    left_out: int
    first: int | None


def freeze(wanted: ReplayFilter, who: str) -> ReplayRun:
    """Store a run with its numbers. It waits for a yes. Raises ReplayRefused.

    Events at or beyond the group's present offsets are not in it: the group handles them live.
    """
    before = clock.now() - timedelta(days=FORGOTTEN_DAYS)
    ReplayRun.objects.filter(state=_State.FROZEN, began_at__lt=before).delete()
    spans = wanted.spans()
    found = _count(wanted, spans)
    if not any(one.events for one in found):
        raise ReplayRefused(_("Nothing to handle again: no event that the group has handled matches."))
    return ReplayRun.objects.create(
        group=wanted.group.name,
        since=wanted.since,
        until=wanted.until,
        key=wanted.key,
        event_id=wanted.event_id,
        who=who[:WHO_CHARACTERS_MAX],
        state=_State.FROZEN,
        began_at=clock.now(),
        offsets=replay.written(spans),
        in_background=True,
        **_columns(found),
    )


def counts(run: ReplayRun) -> list[PartitionCount]:
    """Return the numbers of a run by partition, as they were shown last."""
    return msgspec.json.decode(run.counted, type=list[PartitionCount]) if run.counted != "{}" else []


def begin(run: ReplayRun, who: str) -> None:
    """Let a frozen run begin, and record it in the audit trail. Raises ReplayRefused, also if a number has changed."""
    with transaction.atomic():
        frozen = ReplayRun.objects.select_for_update().filter(pk=run.pk, state=_State.FROZEN)
        row = frozen.filter(who=who[:WHO_CHARACTERS_MAX]).exclude(offsets="{}").first()
        if row is None:
            raise ReplayRefused(_("This replay has begun already, or is another operator’s."))
        _refuse_beside_another(row)
        found = _count(replay.wanted_by(row), replay.spans_of(row))
        is_same = found == counts(row)
        if is_same:
            frozen.update(state=_State.RUNNING, began_at=clock.now(), moved_at=clock.now())
            replay.note(row, who, count=sum(one.events for one in found))
        else:
            frozen.update(**_columns(found))
    run.refresh_from_db()
    if not is_same:
        raise ReplayRefused(_("The numbers have changed since they were shown. Look again."))


def stop(run: ReplayRun, who: str) -> None:
    """Stop a running replay, or give up one that failed: then no operator need act.

    What it has handled stays, and it can go on later. Raises ReplayRefused.
    """
    with transaction.atomic():
        running = ReplayRun.objects.filter(pk=run.pk, state__in=(_State.RUNNING, _State.FAILED))
        if not running.update(state=_State.STOPPED, ended_at=clock.now()):
            raise ReplayRefused(_("This replay is not running."))
        OperatorAction.objects.create(
            at=clock.now(),
            who=who[:WHO_CHARACTERS_MAX],
            action=OperatorAction.Action.STOP,
            group=run.group,
            replay=run.pk,
        )
    run.refresh_from_db()


def go_on(run: ReplayRun, who: str) -> None:
    """Let a stopped or failed replay go on in the background. Raises ReplayRefused, also if it is running."""
    with transaction.atomic():
        row = ReplayRun.objects.select_for_update().filter(pk=run.pk).first()
        if row is not None and row.state == _State.RUNNING:
            raise ReplayRefused(_("This replay is running already."))
        _refuse_beside_another(run)
        replay.resume(run, who)
        ReplayRun.objects.filter(pk=run.pk).update(in_background=True)
    run.refresh_from_db()


def _refuse_beside_another(run: ReplayRun) -> None:
    """Refuse if another run of the group is running. Two operators who choose at once would each handle all again."""
    ConsumerGroup.objects.select_for_update().filter(name=run.group).first()  # the other operator waits here
    other = ReplayRun.objects.filter(group=run.group, state=_State.RUNNING).exclude(pk=run.pk).first()
    if other is not None:
        text = _("Replay %(number)d of this group is running. Stop it, or wait until it is done.")
        raise ReplayRefused(text % {"number": other.pk})


def _columns(found: list[PartitionCount]) -> dict[str, object]:
    return {
        "matched": sum(one.events + one.left_out for one in found),
        "counted": msgspec.json.encode(found).decode(),
    }


def _count(wanted: ReplayFilter, spans: Spans) -> list[PartitionCount]:
    aside = set_aside(wanted.group)
    rows = wanted.events(spans).order_by("topic", "partition").values_list("topic", "partition")
    numbers = {
        TopicPartition(topic, partition): (all_, left_out, first)
        for topic, partition, all_, left_out, first in rows.annotate(
            all=Count("id"), left_out=Count("id", filter=aside), first=Min("offset", filter=~Q(aside))
        )
    }
    found = []
    for one, (_begin, end) in sorted(spans.items()):
        all_, left_out, first = numbers.get(one, (0, 0, None))
        found.append(PartitionCount(one.topic, one.partition, end, all_ - left_out, left_out, first))
    return found
