"""Show operators the records that were set aside as untrusted, and let them dismiss those."""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import Count, Min, QuerySet, Sum
from django.utils.translation import gettext as _

from eventbus import clock
from eventbus.database.storable_text import TIME, printable
from eventbus.errors import BusError
from eventbus.events import source
from eventbus.models import WHO_CHARACTERS_MAX, OperatorAction, Progress, UntrustedRecord

AFTER_A_RESTORE = " After a restore of the database, manage.py eventbus restored says whether it may be ours."


class Gone(BusError):
    """The untrusted record is not stored any more: another operator has dismissed it."""


def found(topic: str = "") -> QuerySet[UntrustedRecord]:
    """Return the records set aside that no operator has dismissed, the oldest first.

    Of each group and topic only the first are stored (`trust.ROWS_MAX`).
    """
    rows = UntrustedRecord.objects.order_by("id")
    return rows.filter(topic=topic) if topic else rows


def counts() -> dict[str, int]:
    """Count by group all records that were ever set aside."""
    rows = Progress.objects.filter(untrusted__gt=0).order_by("group").values_list("group")
    return dict(rows.annotate(count=Sum("untrusted")))


def problems() -> list[str]:
    """Return a sentence for each group and topic with records that no operator has dismissed."""
    by_topic = found().order_by("group", "topic").values_list("group", "topic")
    counted = list(by_topic.annotate(count=Count("id"), first=Min("id"), since=Min("seen_at")))
    examples = UntrustedRecord.objects.in_bulk([first for _group, _topic, _count, first, _since in counted])
    told = []
    for group, topic, count, first, since in counted:
        one = examples.get(first)
        if one is not None:
            hint = AFTER_A_RESTORE if one.source == source() else ""
            told.append(
                f"{group} has set aside {count} records of {topic} since {since:{TIME}} that no event class allows, "
                f"such as {one.event_id}, {one.type or 'without a type'} of {one.source or 'nobody'} for key "
                f"{printable(one.key)}, at {one.partition}/{one.offset}. Who else can write there? See "
                f"docs/operations.md, A forged record, and manage.py eventbus untrusted.{hint}"
            )
    return told


def dismiss(asked: UntrustedRecord, who: str) -> None:
    """Dismiss a record: `status` reports it no more, and an operator's action keeps what it was.

    Raises Gone if it was dismissed already.
    """
    with transaction.atomic():
        if not UntrustedRecord.objects.filter(id=asked.pk).delete()[0]:
            raise Gone(_("Record %(id)d was dismissed already.") % {"id": asked.pk})
        OperatorAction.objects.create(
            at=clock.now(),
            who=who[:WHO_CHARACTERS_MAX],
            action=OperatorAction.Action.DISMISS,
            group=asked.group,
            event_id=asked.event_id,
            type=asked.type,
            key=asked.key,
            error=f"{asked.topic}/{asked.partition}/{asked.offset}, said to be of {asked.source or 'nobody'}",
        )


def told(row: UntrustedRecord) -> Mapping[str, object]:
    """Return all that is stored of a record, by name."""
    names = ("id", "group", "topic", "partition", "offset", "type", "key", "event_id", "source", "seen_at")
    return {name: getattr(row, name) for name in names}
