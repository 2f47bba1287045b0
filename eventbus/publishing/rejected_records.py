"""Records that the log rejected for good, and operators' decisions about them.

Such an event has no offset, and nothing overtakes it: later events of its key wait behind it. So an operator has to
decide. If it is resent, it is appended once the log takes it, and the others follow. If it is withdrawn, it is never
published, and its key goes on without it. Its row stays for a while, to be read (`eventbus.operations.pruning`).
"""

from functools import reduce
from operator import and_
from typing import Any

from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from eventbus import clock, failpoints
from eventbus.errors import BusError
from eventbus.models import WHO_CHARACTERS_MAX, OperatorAction, OutboxRow

UNSENT = Q(offset__isnull=True, rejected="")
WAITS = Q(rejected__gt="", withdrawn_at__isnull=True)  # for an operator to decide
WITHDRAWN = Q(rejected__gt="", withdrawn_at__isnull=False)


class NotRejected(BusError):
    """There is nothing to decide about an event: the log did not reject it, or it was decided already."""


def rejected(topic: str = "", *, withdrawn: bool = False) -> QuerySet[OutboxRow]:
    """Return the rejected events that wait for an operator, or with `withdrawn` those that an operator withdrew.

    `behind` is as in `events`.
    """
    rows = events(WITHDRAWN if withdrawn else WAITS)
    return rows.filter(topic=topic) if topic else rows


def events(which: Q) -> QuerySet[OutboxRow]:
    """Return the outbox rows of this filter, the oldest first.

    `behind` counts the later unsent events of a row's key.
    """
    later = OutboxRow.objects.filter(UNSENT, topic=OuterRef("topic"), key=OuterRef("key"), id__gt=OuterRef("id"))
    counted = later.order_by().values("key").annotate(count=Count("id")).values("count")
    return OutboxRow.objects.filter(which).annotate(behind=Coalesce(Subquery(counted), 0)).order_by("id")


def not_behind() -> Q:
    """Return the filter that leaves out rejected events that wait for an operator, and all later events of their keys.

    The filter is empty if there is no such event.
    """
    keys = OutboxRow.objects.filter(WAITS).order_by().values_list("topic", "key")
    first = keys.annotate(first=Min("id"))  # earlier events of the key were appended, and may be appended again
    return reduce(and_, (~Q(topic=topic, key=key, id__gte=row_id) for topic, key, row_id in first), Q())


def resend(row: OutboxRow, who: str) -> None:
    """Have the relay offer a rejected event to the log again, before the later events of its key.

    Raises NotRejected if the log did not reject it, or if an operator has withdrawn it.
    """
    _decide(row, OperatorAction.Action.RESEND, who, rejected="")


def withdraw(row: OutboxRow, who: str) -> None:
    """Withdraw a rejected event: it is never published, and its key goes on without it.

    Raises NotRejected if the log did not reject it, or if an operator has withdrawn it.
    """
    _decide(row, OperatorAction.Action.WITHDRAW, who, withdrawn_at=clock.now())


def _decide(asked: OutboxRow, action: OperatorAction.Action, who: str, **change: Any) -> None:
    """Store an operator's decision about a rejected event. Raises NotRejected.

    The relay is not sending the event meanwhile: it selects no rejected rows, and none behind them.
    """
    with failpoints.atomic("decide"):
        row = OutboxRow.objects.select_for_update().defer("payload", "headers").filter(id=asked.pk).first()
        if row is None or not row.rejected or row.withdrawn_at is not None:
            raise NotRejected(_why_not(row) % {"id": asked.pk})
        OperatorAction.objects.create(
            at=clock.now(),
            who=who[:WHO_CHARACTERS_MAX],
            action=action,
            event_id=row.event_id,
            type=row.type,
            key=row.key,
            error=row.rejected,
        )
        OutboxRow.objects.filter(id=asked.pk).update(**change)


def _why_not(row: OutboxRow | None) -> str:
    if row is None:
        return _("Event %(id)d is gone: nobody needed it any more.")
    if row.withdrawn_at is not None:
        return _("Event %(id)d was withdrawn already.")
    if row.offset is not None:
        return _("The log did not reject event %(id)d: it has it.")
    return _("The log did not reject event %(id)d: it is on its way there.")
