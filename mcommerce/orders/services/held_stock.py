"""The limit on pieces that one visitor reserves without paying. docs/decisions/0019 explains its figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Aggregate, Count, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from mcommerce.events import CancelReason
from mcommerce.orders.carts.cart import QUANTITY_MAX, Item
from mcommerce.orders.models import Order, OrderLine
from mcommerce.orders.services.lifecycle import UNPAID
from mcommerce.rate_limits.named_locks import take_turn

ALWAYS_PIECES = 2  # a pair is sold together, even the last one
SHARE_OF_FREE = 2  # one half: as many pieces always stay for the others
LAPSED_MAX = 3  # orders of a product that ended unpaid: allows for changes of mind and lost mails
LAPSED_WITHIN = timedelta(days=1)  # older ones do not count

SOME = _(
    "%(name)s: before you pay, we set aside at most %(pieces)s for you. Order %(pieces)s, pay, and then order the rest."
)
NONE = _("%(name)s: as many as we can set aside for you wait to be paid. Pay your open order first, or cancel it.")
LAPSED = _(
    "%(name)s: you ordered it several times today without paying, and few are left. "
    "Please leave them to others until tomorrow."
)


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """The visitor who orders. An order with the same customer, network or session counts as theirs.

    `placed_from` is a keyed hash of their network; `session_orders` are the ids of the orders in their session.
    """

    customer_id: UUID | None = None
    placed_from: str = ""
    session_orders: tuple[str, ...] = ()

    @property
    def orders(self) -> Q:
        """A filter for their orders; it matches none where nothing is known of them."""
        theirs = Q(id__in=self.session_orders)
        if self.customer_id:
            theirs |= Q(customer_id=self.customer_id)
        if self.placed_from:
            theirs |= Q(placed_from=self.placed_from)
        return theirs


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """The number of further pieces of an item that may be ordered. `lapsed`: fewer, after too many unpaid orders."""

    item: Item
    pieces: int
    lapsed: bool

    @property
    def sentence(self) -> str:
        """The reason why there are no more, and the remedy."""
        words = LAPSED if self.lapsed else SOME if self.pieces else NONE
        return words % {"name": self.item.offer.name, "pieces": self.pieces}


class HoldsTooMuch(Exception):
    """The visitor would leave too little to others. `short` lists the items."""

    def __init__(self, short: list[Allowance]) -> None:
        super().__init__(", ".join(f"{one.item.offer.sku}: {one.pieces}" for one in short))
        self.short = short


def leave_some(items: Sequence[Item], visitor: Visitor, *, now: datetime) -> None:
    """Raise `HoldsTooMuch` if the items exceed the visitor's share of the free pieces.

    Call it in the transaction that places the order. Other checkouts of the same visitor wait until the transaction
    ends, and then count its pieces too.
    """
    take_turn(*filter(None, (visitor.customer_id, visitor.placed_from)))
    products = [item.offer.product_id for item in items]
    held, lapsed = _held(visitor, products), _lapsed(visitor, products, now)
    allowed = [_allowance(item, held[item.offer.product_id], lapsed[item.offer.product_id]) for item in items]
    short = [one for one in allowed if one.pieces < one.item.line.quantity]
    if short:
        raise HoldsTooMuch(short)


def _allowance(item: Item, held: int, lapsed: int) -> Allowance:
    """Return how many further pieces of the item may be ordered, by the pieces that are free now.

    The visitor's ordered pieces that are not reserved yet count both as free and as held, which lowers the result.
    """
    if item.offer.available is None:
        return Allowance(item=item, pieces=max(0, QUANTITY_MAX - held), lapsed=False)
    free = max(0, item.offer.available)
    share, fickle = free // SHARE_OF_FREE, lapsed >= LAPSED_MAX
    limit = share if fickle else max(share, ALWAYS_PIECES)
    return Allowance(item=item, pieces=max(0, min(limit - held, free)), lapsed=fickle and share < ALWAYS_PIECES)


def _held(visitor: Visitor, products: list[UUID]) -> Counter[UUID]:
    """Count the pieces of each product in the visitor's unpaid orders."""
    unpaid = Order.objects.filter(visitor.orders, state__in=UNPAID)
    return _by_product(OrderLine.objects.filter(order__in=unpaid, product_id__in=products), Sum("quantity"))


def _lapsed(visitor: Visitor, products: list[UUID], now: datetime) -> Counter[UUID]:
    """Count the visitor's recent orders of each product that were cancelled by them or never paid."""
    ended = Order.objects.filter(
        visitor.orders,
        state=Order.State.CANCELLED,
        cancel_reason__in=(CancelReason.PAYMENT_TIMEOUT, CancelReason.CUSTOMER),
        placed_at__gt=now - LAPSED_WITHIN,
    )
    return _by_product(OrderLine.objects.filter(order__in=ended, product_id__in=products), Count("order"))


def _by_product(lines: QuerySet[OrderLine], figure: Aggregate) -> Counter[UUID]:
    return Counter(dict(lines.order_by().values_list("product_id").annotate(figure)))
