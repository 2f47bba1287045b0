"""What happened to an order: one row a step, and a version by which its page knows that it is old."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F

from mcommerce.orders.models import Order, OrderStep

DETAIL_LENGTH = 200  # characters, as the column holds them; what comes from a provider is cut to it


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
    """Bring an order that is in one of the states `was` into the state `to`, and note the step.

    One guarded statement: of two who try at the same time, one wins. Says whether it did. Call it in the transaction
    that publishes what happened. `by` is who of the staff decided it.
    """
    guarded = Order.objects.filter(id=order_id, state__in=was)
    if not guarded.update(state=to, version=F("version") + 1, **fields):
        return False
    _write(order_id, step, detail, now, by)
    return True


def note(
    order_id: UUID, step: OrderStep.Kind, detail: str = "", *, now: datetime, by: UUID | None = None, **fields: Any
) -> None:
    """Note a step that leaves the order in its state."""
    Order.objects.filter(id=order_id).update(version=F("version") + 1, **fields)
    _write(order_id, step, detail, now, by)


def _write(order_id: UUID, step: OrderStep.Kind, detail: str, now: datetime, by: UUID | None) -> None:
    OrderStep.objects.create(order_id=order_id, kind=step, detail=detail[:DETAIL_LENGTH], at=now, by=by)
