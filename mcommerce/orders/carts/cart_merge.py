"""The merge of a guest's cart when the guest signs in."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from eventbus import clock
from mcommerce.orders.carts.cart import merge
from mcommerce.orders.carts.cart_session import cookie_cart_id


@receiver(user_logged_in, dispatch_uid="orders.merge_carts")
def merge_carts(sender: object, request: HttpRequest | None, user: AbstractBaseUser, **_details: Any) -> None:
    """Move the browser's cart into the customer's."""
    cart_id = cookie_cart_id(request) if request else None
    if cart_id:
        merge(guest_cart_id=cart_id, customer_id=user.pk, now=clock.now())
