"""Checkout: placing an order of a cart."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from eventbus import publish
from mcommerce.events import OrderExpiredCheck
from mcommerce.orders.carts import shown_cart
from mcommerce.orders.carts.cart import Item, items_in, totals_of
from mcommerce.orders.models import Cart, CartLine, Order, OrderLine, OrderStep, order_number
from mcommerce.orders.services import order_events
from mcommerce.orders.services.held_stock import Visitor, leave_some
from mcommerce.orders.services.vat import tax_within

NUMBER_TRIES = 5  # with a million orders, all tries fail once in 10^14 orders


class EmptyCart(Exception):
    """There is nothing in the cart to order."""


class CartChanged(Exception):
    """The cart, a price or an offer differs from what the shopper agreed to; they must see it first."""


class MixedCurrencies(Exception):
    """An order has one currency, and the cart's lines have several."""


@dataclass(frozen=True, kw_only=True)
class Buyer:
    """The customer and the address of an order. `customer_id`: None for a guest; `country`: ISO 3166-1 alpha-2."""

    email: str
    name: str
    street: str
    postal_code: str
    city: str
    country: str
    language: str
    extra: str = ""
    customer_id: UUID | None = None


def place_order(
    *,
    cart_id: UUID | None,
    buyer: Buyer,
    token: UUID,
    now: datetime,
    seen: str | None = None,
    visitor: Visitor | None = None,
) -> Order:
    """Place an order of the cart at the offers' prices, empty the cart, and start the time to pay.

    `seen`: the cart as `seen_cart` wrote it into the page. If the cart has changed since, CartChanged is raised; None
    skips the comparison. A second call with the same `token` returns the same order, even while the first is running.
    `visitor`: the one whose unpaid pieces are limited. Raises `EmptyCart`, `CartChanged`, `MixedCurrencies`,
    `HoldsTooMuch`.
    """
    try:
        with transaction.atomic():
            # The lock makes a second submit wait until the first is committed. Then it finds that order.
            cart = Cart.objects.select_for_update().filter(id=cart_id).first() if cart_id else None
            return _placed_before(token) or _place(cart, buyer, visitor, token, now, seen)
    except IntegrityError:
        # Two submits that did not share a cart row, such as around a sign-in: the token's unique index stopped one.
        order = _placed_before(token)
        if order is None:
            raise
        return order


def _placed_before(token: UUID) -> Order | None:
    return Order.objects.filter(checkout_token=token).first()


def _place(
    cart: Cart | None, buyer: Buyer, visitor: Visitor | None, token: UUID, now: datetime, seen: str | None
) -> Order:
    items = _agreed_items(cart)
    if seen is not None and (seen != shown_cart.written(items) or any(item.scarce for item in items)):
        raise CartChanged
    if visitor:
        leave_some(items, visitor, now=now)
    order = _write_order(items, cart, buyer, visitor, token, now)
    OrderStep.objects.create(order=order, kind=OrderStep.Kind.PLACED, at=now)
    CartLine.objects.filter(cart=cart).delete()
    if cart:
        cart.came_back.clear()
    publish(order_events.contact_given(order), order_events.placed(order))
    publish(OrderExpiredCheck(order_id=order.id), due=order.expires_at)
    return order


def _agreed_items(cart: Cart | None) -> list[Item]:
    items = items_in(cart)
    if not items:
        raise EmptyCart
    if any(item.gone or item.repriced for item in items):
        raise CartChanged
    if len(totals_of(items)) > 1:
        raise MixedCurrencies
    return items


def _write_order(
    items: list[Item], cart: Cart | None, buyer: Buyer, visitor: Visitor | None, token: UUID, now: datetime
) -> Order:
    lines = [_line(item) for item in items]
    order = Order.objects.create(
        number=_free_number(),
        customer_id=buyer.customer_id,
        cart_id=cart.id if cart else None,
        email=buyer.email,
        name=buyer.name,
        street=buyer.street,
        extra=buyer.extra,
        postal_code=buyer.postal_code,
        city=buyer.city,
        country=buyer.country,
        language=buyer.language,
        currency=items[0].offer.currency,
        total=sum(line.total for line in lines),
        tax=sum(line.tax for line in lines),
        placed_at=now,
        expires_at=now + timedelta(minutes=settings.ORDER_PAYMENT_MINUTES),
        checkout_token=token,
        placed_from=visitor.placed_from if visitor else "",
    )
    for line in lines:
        line.order = order
    OrderLine.objects.bulk_create(lines)
    return order


def _line(item: Item) -> OrderLine:
    offer = item.offer
    return OrderLine(
        product_id=offer.product_id,
        sku=offer.sku,
        slug=offer.slug,
        title=offer.title,
        image=offer.image,
        quantity=item.line.quantity,
        unit_price=offer.price,
        tax_rate=offer.tax_rate,
        total=item.total,
        tax=tax_within(item.total, offer.tax_rate),
    )


def _free_number() -> str:
    """Return a number that no order has. The unique index decides when two draw the same at the same time."""
    for _try in range(NUMBER_TRIES):
        number = order_number()
        if not Order.objects.filter(number=number).exists():
            break
    return number
