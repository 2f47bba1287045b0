"""The return of a cancelled order's lines to the cart that they came from.

Lines come back if the stock was short, the time to pay ended, or the customer cancelled. If a guest has signed in
meanwhile, the lines go to the customer's cart: the guest's cart points to it.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from mcommerce.events import CancelReason, Shortage
from mcommerce.orders.carts.cart import CartFull, lower, lower_the_scarce, put, touch
from mcommerce.orders.models import Cart, Order, OrderLine

# Each of them ends an unpaid order. The lines of an order that staff end do not come back.
GIVEN_BACK = (CancelReason.STOCK_REJECTED, CancelReason.PAYMENT_TIMEOUT, CancelReason.CUSTOMER)


def note_shortages(order_id: UUID, shortages: Iterable[Shortage]) -> None:
    """Record beside each short line how many pieces were free, in the caller's transaction."""
    for short in shortages:
        lines = OrderLine.objects.filter(order_id=order_id, product_id=short.product_id)
        lines.update(free_pieces=max(0, short.available))


def give_back(order_id: UUID, *, now: datetime) -> None:
    """Put an order's lines back into the cart that they came from, as far as the cart's limits allow.

    Each order line stores how many of its pieces fitted. Call it in the transaction that cancels the order: an order is
    cancelled once, so its lines come back once.
    """
    order = Order.objects.get(id=order_id)
    cart = _cart_of(order)
    if cart is None:  # deleted meanwhile
        return
    touch(cart, now)
    cart.came_back.add(order)
    lines = list(order.lines.all())
    for line in lines:
        line.given_back = _put_back(line, cart, order.currency)
    OrderLine.objects.bulk_update(lines, ["given_back"])


def _put_back(line: OrderLine, cart: Cart, currency: str) -> int:
    """Put the line's pieces into the cart; return how many fitted."""
    try:
        return put(cart, line.product_id, line.quantity, price=line.unit_price, currency=currency)
    except CartFull:
        return 0


def _cart_of(order: Order) -> Cart | None:
    """Return the order's cart, locked, so that a concurrent sign-in comes wholly before or after."""
    cart = Cart.objects.select_for_update().filter(id=order.cart_id).first() if order.cart_id else None
    return cart.poured_into if cart and cart.poured_into else cart


def came_back_to(cart: Cart | None, order: Order) -> bool:
    """Return whether the order's lines are in this cart, and the shopper has not decided about them yet."""
    return cart is not None and cart.came_back.filter(id=order.id).exists()


def take_the_rest(order: Order, *, cart: Cart, now: datetime) -> None:
    """Lower the order's short lines to the pieces free at its refusal, and each line to the pieces free now."""
    with transaction.atomic():
        touch(cart, now)
        cart.came_back.remove(order)
        for line in order.lines.exclude(free_pieces=None):
            lower(cart, line.product_id, line.free_pieces or 0)
        lower_the_scarce(cart)
