"""The reservations, for reconciliation."""

from collections.abc import Collection, Iterator
from uuid import UUID

from mcommerce.products.models import Reservation

ROWS_AT_ONCE = 500  # reservations in memory at a time


def held() -> Iterator[list[UUID]]:
    """Yield the ids of all orders for which pieces are held, in batches."""
    last = None
    rows = Reservation.objects.filter(status=Reservation.Status.HELD).order_by("order_id")
    while found := list(rows.filter(**({"order_id__gt": last} if last else {}))[:ROWS_AT_ONCE]):
        yield [row.order_id for row in found]
        last = found[-1].order_id


def held_among(order_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these orders for which pieces are held."""
    rows = Reservation.objects.filter(status=Reservation.Status.HELD, order_id__in=order_ids)
    return set(rows.values_list("order_id", flat=True))
