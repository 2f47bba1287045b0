"""The stock: pieces arrive, are held for orders, sold or released, and come back when a paid order is cancelled.

Never read a number, decide, and then write it: each reservation is one UPDATE whose WHERE requires enough free pieces.
Rows are locked in order of their ids, so that orders never deadlock. Events are published last, in one call, since
publishing takes locks too.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from eventbus import publish
from mcommerce.events import (
    ProductStockChanged,
    Shortage,
    ShortageReason,
    StockCommitFailed,
    StockCommitted,
    StockLine,
    StockRejected,
    StockReserved,
)
from mcommerce.products.models import Product, Reservation, ReservationLine, Stock, StockMovement

HELD, COMMITTED, RELEASED = Reservation.Status.HELD, Reservation.Status.COMMITTED, Reservation.Status.RELEASED
RETURNED = Reservation.Status.RETURNED


class NothingAsked(ValueError):
    """There are no lines, or a quantity is below one."""


class NotEnoughThere(Exception):
    """Fewer pieces are free than are to be written off."""


class _Short(Exception):
    """The shortages of an order. Raising it rolls back the savepoint in which other lines had taken pieces."""

    def __init__(self, shortages: tuple[Shortage, ...]) -> None:
        self.shortages = shortages


@transaction.atomic
def reserve_stock(*, order_id: UUID, lines: Iterable[StockLine], now: datetime) -> None:
    """Hold all lines for the order, or none; publish StockReserved or StockRejected.

    Only the first call for an order counts: a repeat, or a call after `release_stock`, changes and publishes nothing.
    Raises NothingAsked if there are no lines, or a quantity is below one.
    """
    wanted = _sorted_lines(lines)
    reservation, new = Reservation.objects.get_or_create(
        order_id=order_id, defaults={"status": HELD, "created_at": now, "changed_at": now}
    )
    if not new:
        return
    try:
        with transaction.atomic():
            _hold(wanted)
    except _Short as short:
        _move(order_id, HELD, RELEASED, now)
        publish(StockRejected(order_id=order_id, shortages=short.shortages))
        return
    ReservationLine.objects.bulk_create(
        ReservationLine(reservation=reservation, product_id=line.product_id, quantity=line.quantity) for line in wanted
    )
    _record(StockMovement.Kind.HELD, wanted, order_id, now)
    publish(StockReserved(order_id=order_id, lines=wanted), *_changes(wanted))


@transaction.atomic
def commit_stock(*, order_id: UUID, lines: Iterable[StockLine] = (), now: datetime) -> None:
    """Take the pieces held for a paid order out of the stock; publish StockCommitted.

    If nothing is held for the order, publish StockCommitFailed with `lines` instead: the order cannot reserve anything
    later. After a success a repeat changes and publishes nothing.
    """
    _leave_tombstone(order_id, now)
    if not _move(order_id, HELD, COMMITTED, now):
        if Reservation.objects.filter(order_id=order_id, status=RELEASED).exists():
            publish(StockCommitFailed(order_id=order_id, lines=tuple(lines)))
        return
    sold = _held_lines(order_id)
    for line in sold:
        Stock.objects.filter(product_id=line.product_id).update(
            on_hand=F("on_hand") - line.quantity,
            held=F("held") - line.quantity,
            sold=F("sold") + line.quantity,
            version=F("version") + 1,
        )
    _record(StockMovement.Kind.SOLD, sold, order_id, now)
    publish(StockCommitted(order_id=order_id, lines=sold), *_changes(sold))


@transaction.atomic
def release_stock(*, order_id: UUID, now: datetime) -> None:
    """Release the pieces held for a cancelled order. The order cannot reserve anything later.

    Pieces that were taken as sold go back on the shelf: only an unsent order can be cancelled, so they are still there.
    """
    _leave_tombstone(order_id, now)
    if not _move(order_id, HELD, RELEASED, now):
        take_back_stock(order_id=order_id, now=now)
        return
    freed = _held_lines(order_id)
    for line in freed:
        Stock.objects.filter(product_id=line.product_id).update(
            held=F("held") - line.quantity, version=F("version") + 1
        )
    _record(StockMovement.Kind.RELEASED, freed, order_id, now)
    publish(*_changes(freed))


@transaction.atomic
def take_back_stock(*, order_id: UUID, now: datetime) -> None:
    """Put the pieces sold to the order back on the shelf. A repeat, or an order without sold ones, changes nothing."""
    if not _move(order_id, COMMITTED, RETURNED, now):
        return
    back = _held_lines(order_id)
    for line in back:
        Stock.objects.filter(product_id=line.product_id).update(
            on_hand=F("on_hand") + line.quantity, sold=F("sold") - line.quantity, version=F("version") + 1
        )
    _record(StockMovement.Kind.RETURNED, back, order_id, now)
    publish(*_changes(back))


@transaction.atomic
def receive_stock(*, product_id: UUID, quantity: int, now: datetime, note: str = "", by: UUID | None = None) -> None:
    """Add pieces that arrived; `by` is the staff member who entered them.

    Raises NothingAsked unless `quantity` is positive, and Stock.DoesNotExist for an unknown product.
    """
    arrived = _sorted_lines([StockLine(product_id=product_id, quantity=quantity)])
    if not Stock.objects.filter(product_id=product_id).update(
        received=F("received") + quantity, on_hand=F("on_hand") + quantity, version=F("version") + 1
    ):
        raise Stock.DoesNotExist(product_id)
    _record(StockMovement.Kind.RECEIVED, arrived, None, now, note, by)
    publish(*_changes(arrived))


@transaction.atomic
def write_off_stock(*, product_id: UUID, quantity: int, now: datetime, note: str = "", by: UUID | None = None) -> None:
    """Remove broken or missing pieces from the shelf. `by` is the staff member who entered them.

    Raises NothingAsked unless `quantity` is positive, and NotEnoughThere if fewer pieces are free. Pieces that are held
    for orders are not free, and cannot be written off.
    """
    gone = _sorted_lines([StockLine(product_id=product_id, quantity=quantity)])
    if not _enough(product_id, quantity).update(
        on_hand=F("on_hand") - quantity, lost=F("lost") + quantity, version=F("version") + 1
    ):
        raise NotEnoughThere(product_id)
    _record(StockMovement.Kind.LOST, gone, None, now, note, by)
    publish(*_changes(gone))


def _sorted_lines(lines: Iterable[StockLine]) -> tuple[StockLine, ...]:
    """Return one line for each product, in order of ids. Raises NothingAsked as `reserve_stock` does."""
    wanted: Counter[UUID] = Counter()
    for line in lines:
        if line.quantity < 1:
            raise NothingAsked(f"{line.quantity} pieces of {line.product_id}")
        wanted[line.product_id] += line.quantity
    if not wanted:
        raise NothingAsked("no lines")
    return tuple(StockLine(product_id=product_id, quantity=wanted[product_id]) for product_id in sorted(wanted))


def _hold(lines: Sequence[StockLine]) -> None:
    for_sale = Product.objects.filter(published=True)
    short = []
    for line in lines:
        # Do not filter by product__published=True: the join would move the conditions into a subquery. PostgreSQL does
        # not evaluate a subquery again after waiting for the row.
        on_sale = _enough(line.product_id, line.quantity).filter(product_id__in=for_sale)
        if not on_sale.update(held=F("held") + line.quantity, version=F("version") + 1):
            short.append(line)
    if short:
        raise _Short(tuple(_shortage(line) for line in short))


def _enough(product_id: UUID, quantity: int) -> QuerySet[Stock]:
    """Return the product's stock row as a query that matches only if so many pieces are free when the update runs."""
    return Stock.objects.filter(product_id=product_id, on_hand__gte=F("held") + quantity)


def _shortage(line: StockLine) -> Shortage:
    stock = Stock.objects.select_related("product").filter(product_id=line.product_id).first()
    if stock is None:
        reason, available = ShortageReason.UNKNOWN, 0
    elif not stock.product.published:
        reason, available = ShortageReason.WITHDRAWN, 0
    else:
        reason, available = ShortageReason.SOLD_OUT, stock.available
    return Shortage(product_id=line.product_id, wanted=line.quantity, available=available, reason=reason)


def _move(order_id: UUID, old: Reservation.Status, new: Reservation.Status, now: datetime) -> bool:
    """Change the reservation's status from `old` to `new`. Returns True for the one caller that changed it."""
    return bool(Reservation.objects.filter(order_id=order_id, status=old).update(status=new, changed_at=now))


def _leave_tombstone(order_id: UUID, now: datetime) -> None:
    """Create a released reservation if the order has none, so that a later `reserve_stock` holds nothing."""
    Reservation.objects.get_or_create(
        order_id=order_id, defaults={"status": RELEASED, "created_at": now, "changed_at": now}
    )


def _held_lines(order_id: UUID) -> tuple[StockLine, ...]:
    rows = ReservationLine.objects.filter(reservation_id=order_id).order_by("product_id")
    return tuple(StockLine(product_id=row.product_id, quantity=row.quantity) for row in rows)


def _record(
    kind: StockMovement.Kind,
    lines: Sequence[StockLine],
    order_id: UUID | None,
    now: datetime,
    note: str = "",
    by: UUID | None = None,
) -> None:
    StockMovement.objects.bulk_create(
        StockMovement(
            product_id=line.product_id, kind=kind, quantity=line.quantity, order_id=order_id, note=note, by=by, at=now
        )
        for line in lines
    )


def _changes(lines: Sequence[StockLine]) -> list[ProductStockChanged]:
    """Return the events with the free pieces of each product. This transaction still holds the locks on their rows."""
    rows = Stock.objects.filter(product_id__in=[line.product_id for line in lines]).order_by("product_id")
    return [
        ProductStockChanged(product_id=row.product_id, available=row.available, version=row.version) for row in rows
    ]
