"""The cart of a visitor: a customer's own, else the one that the browser's signed cookie names."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from mcommerce.orders.carts.cart import KEPT_FOR
from mcommerce.orders.models import Cart

COOKIE = "cart"
COOKIE_SALT = "mcommerce.orders.cart"


def cookie_cart_id(request: HttpRequest) -> UUID | None:
    """Return the cart id in the browser's cookie; None without a cookie, or with one that we did not sign."""
    signed = request.get_signed_cookie(COOKIE, default=None, salt=COOKIE_SALT, max_age=KEPT_FOR)
    try:
        return UUID(signed) if signed else None
    except ValueError:
        return None


def find_cart(request: HttpRequest) -> Cart | None:
    """Return the visitor's cart, if they have one."""
    if request.user.is_authenticated:
        return Cart.objects.filter(customer_id=request.user.pk).first()
    cart_id = cookie_cart_id(request)
    # A guest's cart never becomes a customer's, its lines move: so the next person at this browser gets none.
    return Cart.objects.filter(id=cart_id, poured_into=None).first() if cart_id else None


def open_cart(request: HttpRequest, now: datetime) -> Cart:
    """Return the visitor's cart, a new one if need be. Pass it to `keep_cookie`."""
    if request.user.is_authenticated:
        return Cart.objects.get_or_create(customer_id=request.user.pk, defaults={"changed_at": now})[0]
    return find_cart(request) or Cart.objects.create(changed_at=now)


def keep_cookie(response: HttpResponse, cart: Cart) -> None:
    """Store a guest's cart in the browser's cookie, which no script and no other site can read."""
    if cart.customer_id is None:
        response.set_signed_cookie(
            COOKIE,
            str(cart.id),
            salt=COOKIE_SALT,
            max_age=KEPT_FOR,
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
