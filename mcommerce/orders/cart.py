"""Carts: what somebody thinks of buying. A cart holds no stock and promises no price."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from mcommerce.orders.models import Cart, CartLine, Offer

QUANTITY_MAX = 20  # pieces of one product: a household, not a reseller; more is a talk with the shop
KEPT_FOR = timedelta(days=60)  # a guest's cart and its cookie: people think twice about a curiosity, and come back
REQUESTS_KEPT = 8  # of a cart: what came between a form and its second try, from a few open pages
LINES_MAX = 50  # different products in one cart, and so in one order and its events


class NotForSale(Exception):
    """The product is unknown or no longer for sale."""


class CartFull(Exception):
    """The cart already holds `LINES_MAX` different products."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A cart line beside its offer of now."""

    line: CartLine
    offer: Offer

    @property
    def gone(self) -> bool:
        """No longer for sale."""
        return not self.offer.for_sale

    @property
    def repriced(self) -> bool:
        """For sale, but not at the price that was agreed to."""
        agreed = (self.line.agreed_price, self.line.agreed_currency)
        return self.offer.for_sale and agreed != (self.offer.price, self.offer.currency)

    @property
    def scarce(self) -> bool:
        """For sale, but fewer seem to be free than wanted. A hint: only the reservation knows."""
        return self.offer.for_sale and self.left < self.line.quantity

    @property
    def waits(self) -> bool:
        """The shopper has something to decide before this can be ordered."""
        return self.gone or self.repriced or self.scarce

    @property
    def left(self) -> int:
        """So many pieces of the wanted ones seem to be free."""
        return self.line.quantity if self.offer.available is None else min(self.line.quantity, self.offer.available)

    @property
    def total(self) -> int:
        """Minor units at the price of now; nothing for what is gone."""
        return 0 if self.gone else self.offer.price * self.line.quantity


def items_in(cart: Cart | None) -> list[Item]:
    """The cart's lines in the order they were added, each beside its offer."""
    if cart is None:
        return []
    lines = list(cart.lines.all())
    offers = Offer.objects.in_bulk([line.product_id for line in lines])
    return [Item(line=line, offer=offers[line.product_id]) for line in lines if line.product_id in offers]


def totals_of(items: list[Item]) -> dict[str, int]:
    """What is for sale costs together, in minor units by currency: sums of two currencies are never added."""
    totals: dict[str, int] = {}
    for item in items:
        if not item.gone:
            totals[item.offer.currency] = totals.get(item.offer.currency, 0) + item.total
    return totals


def pieces_in(cart_id: UUID) -> int:
    """How many pieces lie in the cart."""
    return CartLine.objects.filter(cart=cart_id).aggregate(pieces=Sum("quantity"))["pieces"] or 0


def add(*, cart: Cart, product_id: UUID, quantity: int, now: datetime, request_id: UUID | None = None) -> None:
    """Put pieces into the cart, at most `QUANTITY_MAX` of a product. Raises `NotForSale`, `CartFull`.

    The same request again, also at the same time, adds nothing.
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
    """Whether the cart has not added for this request; noted. In the transaction that touched the cart."""
    before = Cart.objects.values_list("request_ids", flat=True).get(id=cart.id)
    if request_id.hex in before:
        return False
    Cart.objects.filter(id=cart.id).update(request_ids=[*before, request_id.hex][-REQUESTS_KEPT:])
    return True


def change(*, cart: Cart, product_id: UUID, quantity: int, now: datetime) -> None:
    """Have exactly so many pieces, at most `QUANTITY_MAX`; with none the line goes."""
    with transaction.atomic():
        _see_to(cart, now)
        line = cart.lines.filter(product_id=product_id)
        if quantity < 1:
            line.delete()
        else:
            line.update(quantity=min(quantity, QUANTITY_MAX))


def agree(*, cart: Cart, now: datetime) -> None:
    """Agree to what changed: prices are those of now, and what is gone leaves the cart."""
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
    """Want no more pieces of anything than seem to be free; a line of which none is free goes."""
    with transaction.atomic():
        _see_to(cart, now)
        lower_the_scarce(cart)


def merge(*, guest_cart_id: UUID, customer_id: UUID, now: datetime) -> None:
    """Pour a guest's cart into the customer's own at sign-in; what does not fit any more is left out."""
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
    """Delete the guests' carts that no cookie names any more; how many there were."""
    with transaction.atomic():
        old = Cart.objects.filter(customer_id=None, changed_at__lt=now - KEPT_FOR)
        return old.delete()[1].get("orders.Cart", 0)


def touch(cart: Cart, now: datetime, **fields: Any) -> None:
    """Note the change. First in each transaction: the row's lock makes two tabs of one cart wait for each other."""
    Cart.objects.filter(id=cart.id).update(changed_at=now, **fields)


def _see_to(cart: Cart, now: datetime) -> None:
    """The shopper decides something about the cart: what came back into it is no news any more."""
    touch(cart, now)
    cart.came_back.clear()


def lower(cart: Cart, product_id: UUID, most: int) -> None:
    """Want at most so many pieces of a product, in the caller's transaction; none takes the line out."""
    if most < 1:
        cart.lines.filter(product_id=product_id).delete()
    else:
        cart.lines.filter(product_id=product_id, quantity__gt=most).update(quantity=most)


def lower_the_scarce(cart: Cart) -> None:
    """Want no more pieces of anything than seem to be free, in the caller's transaction."""
    for item in items_in(cart):
        if item.scarce:
            lower(cart, item.line.product_id, item.left)


def put(cart: Cart, product_id: UUID, quantity: int, *, price: int, currency: str) -> int:
    """More pieces of a product, at most `QUANTITY_MAX` in all; how many of them fitted. Raises `CartFull`.

    Call it in the transaction that touched the cart.
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
