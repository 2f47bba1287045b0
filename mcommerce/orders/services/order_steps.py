"""The history of an order: one row for each step. The order's version tells an open page that it is outdated."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F

from mcommerce.orders.models import Order, OrderStep

DETAIL_LENGTH = 200  # characters, as the column holds them; a provider's text is cut to it


def move(
    order_id: UUID,
    to: Order.State,
    *,
    was: Collection[Order.State],
    step: OrderStep.Kind,
    detail: str = "",
    now: datetime,
    by: UUID | None = None,
    **fields: Any,
) -> bool:
    """Move an order from one of the states `was` to the state `to`, and record the step.

    Returns False, and changes nothing, if the order is in another state. So of two concurrent calls only one succeeds.
    Call it in the transaction that publishes the event. `by`: the staff member who decided. `fields`: further columns
    of the order to set.
    """
    guarded = Order.objects.filter(id=order_id, state__in=was)
    if not guarded.update(state=to, version=F("version") + 1, **fields):
        return False
    _write(order_id, step, detail, now, by)
    return True


def note(
    order_id: UUID, step: OrderStep.Kind, detail: str = "", *, now: datetime, by: UUID | None = None, **fields: Any
) -> None:
    """Record a step that leaves the order in its state."""
    Order.objects.filter(id=order_id).update(version=F("version") + 1, **fields)
    _write(order_id, step, detail, now, by)


def _write(order_id: UUID, step: OrderStep.Kind, detail: str, now: datetime, by: UUID | None) -> None:
    OrderStep.objects.create(order_id=order_id, kind=step, detail=detail[:DETAIL_LENGTH], at=now, by=by)
