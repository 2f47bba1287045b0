"""Carts of visitors. A cart holds no stock and promises no price."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from mcommerce.orders.models import Cart, CartLine, Offer

QUANTITY_MAX = 20  # pieces of one product: a household, not a reseller; for more, people ask the shop
KEPT_FOR = timedelta(days=60)  # a guest's cart and its cookie: people take time over a curiosity, and come back
REQUESTS_KEPT = 8  # of a cart: enough for requests of a few open pages between a form and its repeat
LINES_MAX = 50  # different products in one cart, and so in one order and its events


class NotForSale(Exception):
    """The product is unknown or no longer for sale."""


class CartFull(Exception):
    """The cart already holds `LINES_MAX` different products."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A cart line with its current offer."""

    line: CartLine
    offer: Offer

    @property
    def gone(self) -> bool:
        """True when it is no longer for sale."""
        return not self.offer.for_sale

    @property
    def repriced(self) -> bool:
        """True when it is for sale, but not at the price that was agreed to."""
        agreed = (self.line.agreed_price, self.line.agreed_currency)
        return self.offer.for_sale and agreed != (self.offer.price, self.offer.currency)

    @property
    def scarce(self) -> bool:
        """True when it is for sale, but fewer seem to be free than wanted. A hint: only the reservation is certain."""
        return self.offer.for_sale and self.left < self.line.quantity

    @property
    def waits(self) -> bool:
        """True when the shopper must decide something before this can be ordered."""
        return self.gone or self.repriced or self.scarce

    @property
    def left(self) -> int:
        """The number of wanted pieces that seem to be free."""
        return self.line.quantity if self.offer.available is None else min(self.line.quantity, self.offer.available)

    @property
    def total(self) -> int:
        """The total at the current price, in minor units; 0 when it is gone."""
        return 0 if self.gone else self.offer.price * self.line.quantity


def items_in(cart: Cart | None) -> list[Item]:
    """Return the cart's lines in the order they were added, each with its offer."""
    if cart is None:
        return []
    lines = list(cart.lines.all())
    offers = Offer.objects.in_bulk([line.product_id for line in lines])
    return [Item(line=line, offer=offers[line.product_id]) for line in lines if line.product_id in offers]


def totals_of(items: list[Item]) -> dict[str, int]:
    """Return the cost of what is for sale, in minor units by currency: sums of two currencies are never added."""
    totals: dict[str, int] = {}
    for item in items:
        if not item.gone:
            totals[item.offer.currency] = totals.get(item.offer.currency, 0) + item.total
    return totals


def pieces_in(cart_id: UUID) -> int:
    """Return the number of pieces in the cart."""
    return CartLine.objects.filter(cart=cart_id).aggregate(pieces=Sum("quantity"))["pieces"] or 0


def add(*, cart: Cart, product_id: UUID, quantity: int, now: datetime, request_id: UUID | None = None) -> None:
    """Put pieces into the cart, at most `QUANTITY_MAX` of a product.

    A second call with the same `request_id` adds nothing, even while the first is running. Raises `NotForSale`, and
    `CartFull` if the product would be one too many.
    """
    with transaction.atomic():
        touch(cart, now)
        if request_id and not _is_new(cart, request_id):
            return
        offer = Offer.objects.filter(product_id=product_id, for_sale=True).first()
        if offer is None:
            raise NotForSale(product_id)
        put(cart, product_id, quantity, price=offer.price, currency=offer.currency)


def _is_new(cart: Cart, request_id: UUID) -> bool:
    """Record the request's id, and return whether it is new. Call it after `touch`, in the same transaction."""
    before = Cart.objects.values_list("request_ids", flat=True).get(id=cart.id)
    if request_id.hex in before:
        return False
    Cart.objects.filter(id=cart.id).update(request_ids=[*before, request_id.hex][-REQUESTS_KEPT:])
    return True


def change(*, cart: Cart, product_id: UUID, quantity: int, now: datetime) -> None:
    """Set the number of pieces, at most `QUANTITY_MAX`; 0 removes the line."""
    with transaction.atomic():
        _see_to(cart, now)
        line = cart.lines.filter(product_id=product_id)
        if quantity < 1:
            line.delete()
        else:
            line.update(quantity=min(quantity, QUANTITY_MAX))


def agree(*, cart: Cart, now: datetime) -> None:
    """Agree to what changed: take the current prices, and remove what is gone."""
    with transaction.atomic():
        _see_to(cart, now)
        for item in items_in(cart):
            if item.gone:
                item.line.delete()
            elif item.repriced:
                cart.lines.filter(id=item.line.id).update(
                    agreed_price=item.offer.price, agreed_currency=item.offer.currency
                )


def take_what_is_there(*, cart: Cart, now: datetime) -> None:
    """Lower each line to the pieces that seem to be free; remove a line of which none is free."""
    with transaction.atomic():
        _see_to(cart, now)
        lower_the_scarce(cart)


def merge(*, guest_cart_id: UUID, customer_id: UUID, now: datetime) -> None:
    """Move a guest's cart into the customer's own at sign-in. What exceeds the limits of that cart is dropped."""
    with transaction.atomic():
        guest = Cart.objects.select_for_update().filter(id=guest_cart_id, customer_id=None, poured_into=None).first()
        if guest is None:
            return
        cart, _created = Cart.objects.get_or_create(customer_id=customer_id, defaults={"changed_at": now})
        touch(cart, now)
        cart.came_back.add(*guest.came_back.all())
        guest.came_back.clear()
        for line in guest.lines.all():
            try:
                put(cart, line.product_id, line.quantity, price=line.agreed_price, currency=line.agreed_currency)
            except CartFull:
                break
        guest.lines.all().delete()
        touch(guest, now, poured_into=cart)


def forget_old(*, now: datetime) -> int:
    """Delete the guests' carts that no cookie names any more; return their number."""
    with transaction.atomic():
        old = Cart.objects.filter(customer_id=None, changed_at__lt=now - KEPT_FOR)
        return old.delete()[1].get("orders.Cart", 0)


def touch(cart: Cart, now: datetime, **fields: Any) -> None:
    """Record the change. Call it first in each transaction: its row lock makes two tabs of one cart take turns."""
    Cart.objects.filter(id=cart.id).update(changed_at=now, **fields)


def _see_to(cart: Cart, now: datetime) -> None:
    """Record a decision of the shopper about the cart. Orders whose lines came back into it no longer await one."""
    touch(cart, now)
    cart.came_back.clear()


def lower(cart: Cart, product_id: UUID, most: int) -> None:
    """Lower the pieces of a product to `most`, in the caller's transaction; 0 removes the line."""
    if most < 1:
        cart.lines.filter(product_id=product_id).delete()
    else:
        cart.lines.filter(product_id=product_id, quantity__gt=most).update(quantity=most)


def lower_the_scarce(cart: Cart) -> None:
    """Lower each line to the pieces that seem to be free, in the caller's transaction."""
    for item in items_in(cart):
        if item.scarce:
            lower(cart, item.line.product_id, item.left)


def put(cart: Cart, product_id: UUID, quantity: int, *, price: int, currency: str) -> int:
    """Add pieces of a product, at most `QUANTITY_MAX` in all; return how many fitted. Raises `CartFull`.

    `price` and `currency` are stored with a new line, as what the shopper agreed to. Call this after `touch`, in its
    transaction.
    """
    line = cart.lines.filter(product_id=product_id).first()
    fitting = min(quantity, QUANTITY_MAX - (line.quantity if line else 0))
    if line:
        cart.lines.filter(id=line.id).update(quantity=line.quantity + fitting)
        return fitting
    if cart.lines.count() >= LINES_MAX:
        raise CartFull
    cart.lines.create(product_id=product_id, quantity=fitting, agreed_price=price, agreed_currency=currency)
    return fitting
