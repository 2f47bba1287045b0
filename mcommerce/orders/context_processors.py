"""Template variables about orders, for every page."""

from collections.abc import Callable
from functools import cache

from django.http import HttpRequest

from mcommerce.orders.carts.cart import pieces_in
from mcommerce.orders.carts.cart_session import find_cart


def cart_count(request: HttpRequest) -> dict[str, Callable[[], int]]:
    """Return `cart_count`: the number of pieces in the visitor's cart. Pages that do not show it cost no query."""

    @cache
    def count() -> int:
        cart = find_cart(request) if hasattr(request, "user") else None  # no user: an error before the middleware ran
        return pieces_in(cart.id) if cart else 0

    return {"cart_count": count}
